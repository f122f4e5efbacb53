"""etcd snapshots: what a member hands out, and beginning anew from it."""

from __future__ import annotations

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from lab.machines import Stage
from lab.machines.protos import common_pb2, machine_pb2
from lab.machines.protos.machine_grpc import MachineServiceStub
from lab.snapshots import StoredKey, read_contents, read_status, verify_checksum
from tests.lab_machines.lab_machines_world import MakeWorld, World

_KEY = StoredKey("/registry/configmaps/default/kept", b'{"data":{"a":"b"}}', 41)


async def _take_snapshot(world: World, name: str) -> bytes:
    stub = MachineServiceStub(world.connect(name))
    replies = await stub.EtcdSnapshot(machine_pb2.EtcdSnapshotRequest())
    return b"".join(reply.bytes for reply in replies)


async def _recover(world: World, name: str, data: bytes, *, skips: bool = False) -> None:
    stub = MachineServiceStub(world.connect(name))
    pieces = [common_pb2.Data(bytes=data[at : at + 4096]) for at in range(0, len(data), 4096)]
    await stub.EtcdRecover(pieces)
    request = machine_pb2.BootstrapRequest(recover_etcd=True, recover_skip_hash_check=skips)
    await stub.Bootstrap(request)


async def _wipe(world: World, *names: str) -> None:
    """Lose the etcd data of control planes, as `reset --system-labels-to-wipe EPHEMERAL`."""
    label = machine_pb2.ResetPartitionSpec(label="EPHEMERAL", wipe=True)
    before = {name: world.machines[name].boot.id for name in names}
    for name in names:
        request = machine_pb2.ResetRequest(reboot=True, system_partitions_to_wipe=[label])
        await MachineServiceStub(world.connect(name)).Reset(request)
    for name in names:
        machine = world.machines[name]
        await world.until(lambda m=machine, b=before[name]: m.boot.id != b)  # type: ignore[misc]
        await world.wait_configured(name)


async def test_a_snapshot_holds_keys_and_members(make_world: MakeWorld) -> None:
    """What a member streams is a database with the cluster's keys, and its checksum."""
    world = make_world(["cp1", "cp2"])
    await world.machines.start()
    await world.configure("cp1", "cp2")
    await world.bootstrap()
    world.plane.keys = (_KEY,)

    snapshot = await _take_snapshot(world, "cp2")

    assert read_contents(verify_checksum(snapshot)).keys == (_KEY,)
    assert read_status(snapshot).revision == 41
    assert world.ledger.acts["etcd.snapshot/cp2"] == 1


async def test_a_lost_cluster_is_recovered(make_world: MakeWorld) -> None:
    """With all data gone, one bootstrap from the snapshot brings the keys back, peers join."""
    world = make_world(["cp1", "cp2", "cp3", "w1"])
    await world.machines.start()
    await world.configure("cp1", "cp2", "cp3", "w1")
    await world.bootstrap()
    world.plane.keys = (_KEY,)
    snapshot = await _take_snapshot(world, "cp1")
    world.plane.keys = (_KEY, _KEY)
    await _wipe(world, "cp1", "cp2", "cp3")

    await _recover(world, "cp2", snapshot)
    await world.wait_ready()

    data = world.machines["cp2"].etcd
    assert data is not None
    assert sorted(member.name for member in data.cluster.members.values()) == ["cp1", "cp2", "cp3"]
    assert list(world.plane.keys) == [_KEY]
    assert (world.plane.calls.count("create"), world.plane.calls.count("restore")) == (1, 1)
    assert (world.ledger.acts["etcd.bootstrap"], world.ledger.acts["etcd.recover"]) == (1, 1)


async def test_a_damaged_snapshot_is_refused_and_can_be_sent_again(make_world: MakeWorld) -> None:
    """A flipped bit fails the etcd service with etcdutl's words; a good file then recovers."""
    world = make_world(["cp1"])
    await world.machines.start()
    await world.configure("cp1")
    await world.bootstrap()
    world.plane.keys = (_KEY,)
    snapshot = await _take_snapshot(world, "cp1")
    await _wipe(world, "cp1")
    etcd = world.machines["cp1"].boot.services
    damaged = snapshot[:-1] + bytes([snapshot[-1] ^ 1])

    await _recover(world, "cp1", damaged)
    await world.until(lambda: (found := etcd.get("etcd")) is not None and found.state == "Failed")
    failed = etcd.get("etcd")
    said = failed.message if failed else ""
    await _recover(world, "cp1", damaged, skips=True)
    await world.wait_ready()

    assert said.startswith(
        "Failed to run pre stage: error recovering from the snapshot: expected sha256 ["
    )
    assert world.ledger.acts["etcd.recover"] == 1


async def test_a_file_that_is_no_database_is_refused(make_world: MakeWorld) -> None:
    """Anything but a database fails the etcd service, with the checksum skipped, too."""
    world = make_world(["cp1"])
    await world.machines.start()
    await world.configure("cp1")
    etcd = world.machines["cp1"].boot.services

    await _recover(world, "cp1", b"no database", skips=True)
    await world.until(lambda: (found := etcd.get("etcd")) is not None and found.state == "Failed")

    failed = etcd.get("etcd")
    assert failed is not None
    assert failed.message == ("Failed to run pre stage: error verifying snapshot: invalid database")


async def test_members_are_removed_only_while_quorum_allows(make_world: MakeWorld) -> None:
    """A dead member of three is removed, and none that runs while another is down."""
    world = make_world(["cp1", "cp2", "cp3"])
    await world.machines.start()
    await world.configure("cp1", "cp2", "cp3")
    await world.bootstrap()
    data = {name: world.machines[name].etcd for name in ("cp1", "cp2", "cp3")}
    ids = {name: held.member.id for name, held in data.items() if held is not None}
    stub = MachineServiceStub(world.connect("cp1"))
    await MachineServiceStub(world.connect("cp3")).Shutdown(machine_pb2.ShutdownRequest())
    await world.until(lambda: world.machines["cp3"].boot.stage is Stage.UNKNOWN)

    with pytest.raises(GRPCError) as caught:
        await stub.EtcdRemoveMemberByID(
            machine_pb2.EtcdRemoveMemberByIDRequest(member_id=ids["cp2"])
        )
    await stub.EtcdRemoveMemberByID(machine_pb2.EtcdRemoveMemberByIDRequest(member_id=ids["cp3"]))

    assert caught.value.message == (
        f"failed to remove member: failed to remove member {ids['cp2']}: "
        "etcdserver: unhealthy cluster"
    )
    remaining = world.machines["cp1"].etcd
    assert remaining is not None
    assert sorted(remaining.cluster.members) == sorted([ids["cp1"], ids["cp2"]])


async def test_the_last_member_cannot_be_removed(make_world: MakeWorld) -> None:
    """A cluster of one refuses to lose it."""
    world = make_world(["cp1"])
    await world.machines.start()
    await world.configure("cp1")
    await world.bootstrap()

    with pytest.raises(GRPCError) as caught:
        await MachineServiceStub(world.connect("cp1")).EtcdLeaveCluster(
            machine_pb2.EtcdLeaveClusterRequest()
        )

    assert caught.value.status is Status.UNKNOWN
    assert "not enough started members" in str(caught.value.message)

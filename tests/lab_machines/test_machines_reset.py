"""Resets, META, and who may do what to a machine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from google.protobuf.empty_pb2 import Empty
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from lab.machines import Disk, Stage
from lab.machines.protos import machine_pb2
from lab.machines.protos.machine_grpc import MachineServiceStub
from tests.lab_machines.lab_machines_boots import make_cluster, reboot
from tests.lab_machines.lab_machines_world import MakeWorld, World

_REPOSITORY = "factory.talos.dev/metal-installer"
_SCHEMATIC = "a" * 64
_NEXT = f"{_REPOSITORY}/{_SCHEMATIC}:v1.14.0"


async def _reset(world: World, name: str, request: machine_pb2.ResetRequest) -> None:
    machine = world.machines[name]
    before = machine.boot.id
    await MachineServiceStub(world.connect(name)).Reset(request)
    await world.until(lambda: machine.boot.id != before and machine.is_reachable)


async def test_user_disks_are_wiped_alone(make_world: MakeWorld) -> None:
    """The data disk loses its data, the system stays installed and configured."""
    world = make_world(["cp1", "w1"])
    machine = world.machines["w1"]
    data = Disk("sdb", 4_000_000_000_000, holds="xfs")
    hardware = machine.spec.hardware
    machine.spec = replace(machine.spec, hardware=replace(hardware, disks=(*hardware.disks, data)))
    await world.machines.start()
    await world.configure("cp1", "w1")
    await world.bootstrap()
    request = machine_pb2.ResetRequest(
        mode="USER_DISKS", user_disks_to_wipe=["/dev/sdb"], reboot=True
    )

    await _reset(world, "w1", request)

    disk = machine.hardware.get_disk("/dev/sdb")
    assert disk is not None
    assert disk.holds == ""
    assert machine.install is not None
    assert machine.config is not None


async def test_a_wiped_state_ends_in_maintenance_with_the_system(make_world: MakeWorld) -> None:
    """Only the config is lost: the installed version boots into maintenance."""
    world = await make_cluster(make_world, "cp1", "w1")
    label = machine_pb2.ResetPartitionSpec(label="STATE", wipe=True)
    request = machine_pb2.ResetRequest(system_partitions_to_wipe=[label], reboot=True)

    await _reset(world, "w1", request)

    machine = world.machines["w1"]
    assert (machine.boot.stage, machine.install is not None) == (Stage.MAINTENANCE, True)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (
            machine_pb2.ResetRequest(mode="SYSTEM_DISK", user_disks_to_wipe=["/dev/sdb"]),
            (
                "reset failed: invalid input, wipe mode SYSTEM_DISK doesn't support "
                "UserDisksToWipe parameter"
            ),
        ),
        (
            machine_pb2.ResetRequest(user_disks_to_wipe=["/dev/nope"]),
            "reset user disk failed: device /dev/nope wasn't found",
        ),
        (
            machine_pb2.ResetRequest(user_disks_to_wipe=["/dev/sr0"]),
            "reset user disk failed: device /dev/sr0 is readonly",
        ),
        (
            machine_pb2.ResetRequest(user_disks_to_wipe=["/dev/sda"]),
            "reset user disk failed: device /dev/sda is the system disk",
        ),
        (
            machine_pb2.ResetRequest(
                mode="USER_DISKS",
                system_partitions_to_wipe=[machine_pb2.ResetPartitionSpec(label="STATE")],
            ),
            (
                "reset failed: invalid input, wipe mode USER_DISKS doesn't support "
                "SystemPartitionsToWipe parameter"
            ),
        ),
        (
            machine_pb2.ResetRequest(
                system_partitions_to_wipe=[machine_pb2.ResetPartitionSpec(label="NOPE")]
            ),
            (
                'failed to get volume status with label "NOPE": resource '
                "VolumeStatuses.block.talos.dev(runtime/NOPE@undefined) doesn't exist"
            ),
        ),
    ],
)
async def test_a_reset_that_cannot_be_is_refused(
    make_world: MakeWorld, request_: machine_pb2.ResetRequest, said: str
) -> None:
    """What cannot be wiped is told, and the machine goes on as it was."""
    world = make_world(["cp1"])
    await world.machines.start()
    await world.configure("cp1")

    with pytest.raises(GRPCError) as caught:
        await MachineServiceStub(world.connect("cp1")).Reset(request_)

    assert caught.value.message == said
    assert "machine.reset/cp1" not in world.ledger.acts


async def test_a_graceful_reset_needs_etcd_to_let_go(make_world: MakeWorld) -> None:
    """The last member cannot leave: the sequence fails, and the machine boots as it was."""
    world = await make_cluster(make_world, "cp1")
    machine = world.machines["cp1"]
    before = machine.boot
    request = machine_pb2.ResetRequest(graceful=True, reboot=True)

    reply = await MachineServiceStub(world.connect("cp1")).Reset(request)
    await world.until(lambda: machine.boot is not before)
    await world.until(lambda: machine.boot.stage is Stage.RUNNING)

    assert any(
        "reset failed: error running phase 4 in reset sequence: task 1/1: failed, failed to leave "
        "cluster: failed to remove member" in line
        for line in before.console
    )
    assert reply.messages[0].actor_id
    assert machine.etcd is not None
    assert machine.install is not None


async def test_meta_is_kept_over_reboots(make_world: MakeWorld) -> None:
    """A written key survives a reboot; one that is not there cannot be deleted."""
    world = await make_cluster(make_world, "cp1")
    stub = MachineServiceStub(world.connect("cp1"))
    await stub.MetaWrite(machine_pb2.MetaWriteRequest(key=10, value=b"kept"))

    await reboot(world, "cp1")

    stub = MachineServiceStub(world.connect("cp1"))
    await stub.MetaDelete(machine_pb2.MetaDeleteRequest(key=10))
    with pytest.raises(GRPCError) as caught:
        await stub.MetaDelete(machine_pb2.MetaDeleteRequest(key=10))
    with pytest.raises(GRPCError) as too_large:
        await stub.MetaWrite(machine_pb2.MetaWriteRequest(key=256, value=b""))
    assert (caught.value.status, caught.value.message) == (Status.NOT_FOUND, "meta key not found")
    assert too_large.value.message == "key must be a uint8"


@pytest.mark.parametrize("role", ["os:reader", "os:etcd:backup", "os:meta:writer", "os:operator"])
async def test_roles_decide(make_world: MakeWorld, role: str) -> None:
    """Each role may do what machined's table gives it and nothing else."""
    world = await make_cluster(make_world, "cp1")
    allowed = {
        "os:reader": {"Version", "EtcdMemberList"},
        "os:etcd:backup": {"EtcdMemberList", "EtcdSnapshot"},
        "os:meta:writer": {"MetaWrite"},
        "os:operator": {"Version", "EtcdMemberList", "EtcdSnapshot"},
    }
    stub = MachineServiceStub(world.connect("cp1", role=role))
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "Version": lambda: stub.Version(Empty()),
        "EtcdMemberList": lambda: stub.EtcdMemberList(machine_pb2.EtcdMemberListRequest()),
        "EtcdSnapshot": lambda: stub.EtcdSnapshot(machine_pb2.EtcdSnapshotRequest()),
        "MetaWrite": lambda: stub.MetaWrite(machine_pb2.MetaWriteRequest(key=11, value=b"x")),
        "Kubeconfig": lambda: stub.Kubeconfig(Empty()),
        "Rollback": lambda: stub.Rollback(machine_pb2.RollbackRequest()),
        "Reset": lambda: stub.Reset(machine_pb2.ResetRequest()),
        "Upgrade": lambda: stub.Upgrade(machine_pb2.UpgradeRequest(image=_NEXT)),
        "Bootstrap": lambda: stub.Bootstrap(machine_pb2.BootstrapRequest()),
    }
    refused = set()
    for name, call in calls.items():
        try:
            await call()
        except GRPCError as error:
            assert error.message == "not authorized", name  # noqa: PT017
            refused.add(name)

    assert set(calls) - refused == allowed[role]

"""What a preflight must be able to see: each fault as it shows from outside."""

from __future__ import annotations

import asyncio
import ssl

import pytest
import yaml
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from lab.machines import Stage
from lab.machines.protos import cluster_pb2, machine_pb2, state_pb2, storage_pb2
from lab.machines.protos.cluster_grpc import ClusterServiceStub
from lab.machines.protos.machine_grpc import MachineServiceStub
from lab.machines.protos.state_grpc import StateStub
from lab.machines.protos.storage_grpc import StorageServiceStub
from tests.lab_machines.lab_machines_world import (
    PORT,
    MakeWorld,
    World,
    make_insecure_context,
)


async def _list(world: World, name: str, kind: str) -> list[tuple[str, object]]:
    request = state_pb2.ListRequest(namespace="runtime", type=kind)
    replies = await StateStub(world.connect_insecure(name)).List(request)
    return [(r.resource.metadata.id, yaml.safe_load(r.resource.spec.yaml_spec)) for r in replies]


async def test_unreachable_refuses_connections(make_world: MakeWorld) -> None:
    """A machine that is unreachable refuses connections, and answers again afterwards."""
    world = make_world(["cp1"])
    machine = world.machines["cp1"]
    machine.set_fault("unreachable")
    await world.machines.start()

    with pytest.raises(OSError, match="Connect"):
        await MachineServiceStub(world.connect_insecure("cp1")).Version(Empty())
    machine.set_fault("unreachable", on=False)
    await world.until(lambda: machine.is_reachable)

    reply = await MachineServiceStub(world.connect_insecure("cp1")).Version(Empty())
    assert reply.messages[0].version.tag == "v1.13.9"


async def test_silent_never_answers(make_world: MakeWorld) -> None:
    """A machine that hangs accepts the connection and leaves the handshake unanswered."""
    world = make_world(["cp1"])
    world.machines["cp1"].set_fault("silent")
    await world.machines.start()
    host = world.machines["cp1"].spec.loopback

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await asyncio.open_connection(host, PORT, ssl=make_insecure_context())


async def test_foreign_machine_trusts_and_is_trusted_by_nobody(make_world: MakeWorld) -> None:
    """Another cluster's machine: our CA does not sign it, and insecure calls are turned away."""
    world = make_world(["cp1"])
    world.machines["cp1"].set_fault("foreign-cluster")
    await world.machines.start()
    host = world.machines["cp1"].spec.loopback

    with pytest.raises(ssl.SSLCertVerificationError):
        await MachineServiceStub(world.connect("cp1")).Version(Empty())
    reader, writer = await asyncio.open_connection(host, PORT, ssl=make_insecure_context())
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
        await reader.read()

    writer.close()
    assert world.plane.calls == []


async def test_foreign_fault_takes_a_machine_over(make_world: MakeWorld) -> None:
    """Turned on while the lab runs, the fault replaces what the machine was."""
    world = make_world(["cp1"])
    await world.machines.start()
    machine = world.machines["cp1"]

    machine.set_fault("foreign-cluster")

    await world.until(lambda: machine.boot.stage is Stage.RUNNING and machine.is_reachable)


async def test_preconfigured_machine_is_ours(make_world: MakeWorld) -> None:
    """A machine that was configured earlier answers to our CA and reports no maintenance."""
    world = make_world(["cp1"])
    machine = world.machines["cp1"]
    machine.preconfigure(world.cluster.write_config("cp1"))
    await world.machines.start()
    await world.until(lambda: machine.is_reachable)

    reply = await MachineServiceStub(world.connect("cp1")).Version(Empty())

    assert reply.messages[0].version.tag == "v1.13.9"


async def test_two_disks_look_alike(make_world: MakeWorld) -> None:
    """The second disk has every property of the first but its name."""
    world = make_world(["cp1"])
    world.machines["cp1"].set_fault("two-disks")
    await world.machines.start()

    disks = await _list(world, "cp1", "Disks.block.talos.dev")

    assert [name for name, _ in disks] == ["sda", "sdb", "sr0"]


async def test_no_disk_leaves_the_medium(make_world: MakeWorld) -> None:
    """Without a disk there is only the boot medium."""
    world = make_world(["cp1"])
    world.machines["cp1"].set_fault("no-disk")
    await world.machines.start()

    reply = await StorageServiceStub(world.connect_insecure("cp1")).Disks(Empty())

    kinds = [disk.type for disk in reply.messages[0].disks]
    assert kinds == [storage_pb2.Disk.CD]


async def test_data_on_the_disk_shows(make_world: MakeWorld) -> None:
    """Somebody's partitions show among the discovered volumes."""
    world = make_world(["cp1"])
    world.machines["cp1"].set_fault("disk-with-data")
    await world.machines.start()

    volumes = dict(await _list(world, "cp1", "DiscoveredVolumes.block.talos.dev"))

    assert isinstance(volumes["sda1"], dict)
    assert (volumes["sda1"]["parent"], volumes["sda1"]["name"]) == ("sda", "ntfs")


async def test_time_out_of_sync_blocks_bootstrap(make_world: MakeWorld) -> None:
    """Without time there is an unmet condition, and no bootstrap."""
    world = make_world(["cp1"])
    machine = world.machines["cp1"]
    machine.set_fault("time-not-synced")
    await world.machines.start()
    await world.configure("cp1")

    with pytest.raises(GRPCError) as caught:
        await MachineServiceStub(world.connect("cp1")).Bootstrap(machine_pb2.BootstrapRequest())

    assert caught.value.message == "time is not in sync yet"
    assert ("time", "time is not synced") in machine.boot.unmet


async def test_lost_state_ends_in_maintenance(make_world: MakeWorld) -> None:
    """A reboot that finds no config ends in maintenance; the config again brings it back."""
    world = make_world(["w1", "cp1"])
    await world.machines.start()
    await world.configure("cp1", "w1")
    machine = world.machines["cp1"]
    machine.set_fault("lost-state")
    await MachineServiceStub(world.connect("cp1")).Reboot(machine_pb2.RebootRequest())
    await world.until(lambda: machine.boot.stage is Stage.MAINTENANCE and machine.is_reachable)
    machine.set_fault("lost-state", on=False)

    await world.configure("cp1")

    assert world.ledger.acts["machine.install/cp1"] == 1


async def test_failed_install_is_told_and_ends_in_maintenance(make_world: MakeWorld) -> None:
    """A failed install stays installing for its pause, then boots into maintenance again."""
    world = make_world(["cp1"])
    machine = world.machines["cp1"]
    machine.set_fault("install-fails")
    await world.machines.start()
    before = machine.boot.id

    await world.apply("cp1")
    await world.until(lambda: machine.boot.id != before and machine.is_reachable)

    assert machine.boot.stage is Stage.MAINTENANCE
    assert machine.install is None


async def test_learner_is_not_promoted(make_world: MakeWorld) -> None:
    """A member under the fault joins and stays a learner."""
    world = make_world(["cp1", "cp2"])
    world.machines["cp2"].set_fault("etcd-learner")
    await world.machines.start()
    await world.configure("cp1", "cp2")

    await world.bootstrap()

    data = world.machines["cp2"].etcd
    assert data is not None
    assert data.member.is_learner


async def test_learner_is_promoted_when_it_may_be(make_world: MakeWorld) -> None:
    """Once nothing keeps it back it becomes a voter, and who could not join for it does."""
    world = make_world(["cp1", "cp2", "cp3"])
    world.machines["cp2"].set_fault("etcd-learner")
    await world.machines.start()
    await world.configure("cp1", "cp2")
    await world.bootstrap()
    await world.configure("cp3")
    first = world.machines["cp1"].etcd
    assert first is not None
    members = first.cluster.members
    await world.clock.pause(200)
    kept_away = [member.name for member in members.values()]
    world.machines["cp2"].set_fault("etcd-learner", on=False)
    await world.until(
        lambda: len(members) == 3 and not any(member.is_learner for member in members.values())
    )

    assert ["cp1", "cp2"] == kept_away


async def test_health_reports_and_passes(make_world: MakeWorld) -> None:
    """The health check of a whole cluster names its nodes, reports each check, and ends."""
    world = make_world(["cp1", "w1"])
    await world.machines.start()
    await world.configure("cp1", "w1")
    await world.bootstrap()

    stub = ClusterServiceStub(world.connect("cp1"))
    messages = [m.message for m in await stub.HealthCheck(cluster_pb2.HealthCheckRequest())]

    assert messages[0] == 'discovered nodes: ["10.77.0.11" "10.77.0.12"]'
    assert messages[1:3] == [
        "waiting for etcd to be healthy: ...",
        "waiting for etcd to be healthy: OK",
    ]
    assert messages[-1] == "waiting for all k8s nodes to report schedulable: OK"


async def test_health_says_what_it_waits_for(make_world: MakeWorld) -> None:
    """An unready node is the last thing told before the caller's time is over."""
    world = make_world(["cp1", "w1"])
    await world.machines.start()
    await world.configure("cp1", "w1")
    await world.bootstrap()
    world.plane.not_ready.add("w1")
    request = cluster_pb2.HealthCheckRequest(wait_timeout=Duration(seconds=1))
    messages: list[str] = []

    async def follow() -> None:
        async with ClusterServiceStub(world.connect("cp1")).HealthCheck.open() as stream:
            await stream.send_message(request, end=True)
            async for progress in stream:
                messages.append(progress.message)  # noqa: PERF401 # kept when the stream fails

    with pytest.raises(GRPCError) as caught:
        await follow()

    assert caught.value.status is Status.DEADLINE_EXCEEDED
    wanted = 'waiting for all k8s nodes to report ready: some nodes are not ready: ["w1"]'
    assert messages[-1] == wanted

"""What a machine's network does to its cluster: its node, its etcd member, whoever asks for it."""

from __future__ import annotations

import pytest
from google.protobuf.empty_pb2 import Empty

from lab.machines import Stage
from lab.machines.protos import machine_pb2
from lab.machines.protos.machine_grpc import MachineServiceStub
from tests.lab_machines.lab_machines_world import MakeWorld, World

_THREE = ["cp1", "cp2", "cp3"]


async def _make_cluster(world: World, *names: str) -> None:
    await world.machines.start()
    await world.configure(*names)
    await world.bootstrap()


async def test_node_of_a_partitioned_machine_is_lost_and_found(make_world: MakeWorld) -> None:
    """Its kubelet is missed after the grace it has; the machine itself never went down."""
    world = make_world(["cp1", "w1"])
    await _make_cluster(world, "cp1", "w1")
    boot = world.machines["w1"].boot.id
    world.machines["w1"].set_fault("partitioned")
    await world.until(lambda: "lose_kubelet w1" in world.plane.calls)
    world.machines["w1"].set_fault("partitioned", on=False)
    await world.until(lambda: "w1" in world.plane.nodes)

    assert boot == world.machines["w1"].boot.id
    assert "stop_kubelet w1" not in world.plane.calls


async def test_short_cut_is_not_missed(make_world: MakeWorld) -> None:
    """A cable that is out for less than the grace leaves no trace in the cluster."""
    world = make_world(["cp1", "w1"], 50.0)
    await world.machines.start()
    world.clock.change_speed(2000.0)
    await world.configure("cp1", "w1")
    await world.bootstrap()
    world.clock.change_speed(40.0)
    world.machines["w1"].set_fault("cut")
    await world.clock.pause(5)
    world.machines["w1"].set_fault("cut", on=False)
    await world.clock.pause(5)

    assert "lose_kubelet w1" not in world.plane.calls


async def test_only_control_plane_does_not_lose_itself(make_world: MakeWorld) -> None:
    """Its own API server is on the same side of the partition."""
    world = make_world(["cp1", "w1"])
    await _make_cluster(world, "cp1", "w1")
    world.machines["cp1"].set_fault("partitioned")
    await world.clock.pause(400)

    assert not [call for call in world.plane.calls if call.startswith("lose")]


@pytest.mark.parametrize(("away", "has_quorum"), [(["cp3"], True), (["cp2", "cp3"], False)])
async def test_quorum_counts_who_is_heard(
    make_world: MakeWorld, away: list[str], *, has_quorum: bool
) -> None:
    """One of three members may be cut off, whose API server has no etcd; without two, none has."""
    world = make_world(_THREE)
    await _make_cluster(world, *_THREE)
    data = world.machines["cp1"].etcd
    assert data is not None
    for name in away:
        world.machines[name].set_fault("partitioned")
    await world.until(lambda: data.cluster.has_quorum is has_quorum)
    without = {f"lose_etcd {name}" for name in (away if has_quorum else _THREE)}
    await world.until(lambda: without <= {*world.plane.calls})
    for name in away:
        world.machines[name].set_fault("partitioned", on=False)
    await world.until(
        lambda: world.all_ready() and all(m.boot.api_is_usable for m in world.machines)
    )

    assert data.cluster.has_quorum
    assert without == {call for call in world.plane.calls if call.startswith("lose_etcd")}
    assert not [call for call in world.plane.calls if call.startswith("stop_apiserver")]


async def test_vip_leaves_whom_etcd_does_not_hear(make_world: MakeWorld) -> None:
    """A control plane that is cut off loses its session in etcd, and with it the VIP."""
    world = make_world(_THREE)
    await _make_cluster(world, *_THREE)
    world.machines["cp1"].set_fault("partitioned")
    await world.until(lambda: "deny_vip cp1" in world.plane.calls)
    world.machines["cp1"].set_fault("partitioned", on=False)
    await world.until(lambda: "offer_vip cp1" in world.plane.calls)

    assert not [call for call in world.plane.calls if call.endswith(("vip cp2", "vip cp3"))]


async def test_only_control_plane_keeps_the_vip(make_world: MakeWorld) -> None:
    """Its etcd is the machine's own: whoever cannot reach it changes nothing about that."""
    world = make_world(["cp1"])
    await _make_cluster(world, "cp1")
    world.machines["cp1"].set_fault("partitioned")
    await world.clock.pause(400)

    assert not {"deny_vip cp1", "lose_etcd cp1"} & {*world.plane.calls}


@pytest.mark.parametrize(
    ("fault", "seen"),
    [("partitioned", "i/o timeout"), ("cut", "connect: connection refused")],
)
async def test_endpoint_tells_of_a_machine_behind_a_bad_line(
    make_world: MakeWorld, fault: str, seen: str
) -> None:
    """Who asks one machine by another hears how the line is between them."""
    world = make_world(["cp1", "w1"])
    await _make_cluster(world, "cp1", "w1")
    world.machines["w1"].set_fault(fault)
    stub = MachineServiceStub(world.connect("cp1"))

    reply = await stub.Version(Empty(), metadata={"nodes": "10.77.0.12"})

    assert reply.messages[0].metadata.error.endswith(f'10.77.0.12:50000: {seen}"')


async def test_install_waits_for_the_network(make_world: MakeWorld) -> None:
    """A machine that is cut off cannot pull its installer; it installs when it can."""
    world = make_world(["w1"])
    machine = world.machines["w1"]
    await world.machines.start()
    await world.apply("w1")
    machine.set_fault("cut")
    await world.until(lambda: machine.boot.stage is Stage.INSTALLING)
    await world.clock.pause(400)
    waited = machine.boot.stage is Stage.INSTALLING
    machine.set_fault("cut", on=False)
    await world.until(lambda: machine.install is not None)

    assert waited


async def test_old_versions_refuse_version_in_maintenance(make_world: MakeWorld) -> None:
    """What is left out of the maintenance mode of Talos 1.12 is served by 1.13."""
    world = make_world(["cp1"], talos_version="v1.13.0")
    await world.machines.start()

    reply = await MachineServiceStub(world.connect_insecure("cp1")).Version(Empty())

    assert reply.messages[0].version == machine_pb2.VersionInfo(
        tag="v1.13.0", sha="lab", go_version="lab", os="linux", arch="amd64"
    )

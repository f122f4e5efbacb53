"""Machines that cordon and drain their node before they stop what runs on it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import yaml

from lab.machines import Stage
from lab.machines.boot import PowerRequest, Verb
from lab.machines.machine import Machine
from lab.machines.protos import machine_pb2
from lab.machines.protos.machine_grpc import MachineServiceStub
from lab.machines.sequences import list_phases
from lab.ports import PodOnNode
from tests.lab_machines.lab_machines_world import MakeWorld, World

_NEXT = "ghcr.io/siderolabs/installer:v1.13.10"
_POD = PodOnNode("default", "web-1", "uid-1")
_AWAY = "connection refused: no API server is listening"
_SLOW = 30.0
_REBOOT = PowerRequest(Verb.REBOOT, actor="impatient")


async def _make(make_world: MakeWorld) -> World:
    world = make_world(["cp1", "w1"])
    await world.machines.start()
    await world.configure("cp1", "w1")
    await world.bootstrap()
    world.plane.keeper.pods.append(_POD)
    return world


def _stub(world: World) -> MachineServiceStub:
    return MachineServiceStub(world.connect("w1"))


async def _shut_down(world: World, *, force: bool = False) -> None:
    """Ask for it, and wait until the machine is off."""
    await _stub(world).Shutdown(machine_pb2.ShutdownRequest(force=force))
    await world.until(lambda: not world.machines["w1"].powered.is_set())


def _tell(machine: Machine) -> list[str]:
    """Name what a machine's event stream has told in this boot."""
    kept = [event.payload for event in machine.boot.events._kept]  # as sent
    names = []
    for item in kept:
        if isinstance(item, machine_pb2.SequenceEvent):
            word = item.error.message or machine_pb2.SequenceEvent.Action.Name(item.action)
            names.append(f"sequence {item.sequence} {word}")
        elif isinstance(item, machine_pb2.TaskEvent):
            names.append(f"{item.task} {machine_pb2.TaskEvent.Action.Name(item.action)}")
    return names


def _find_in_order(told: Sequence[str], *wanted: str) -> list[str]:
    return [item for item in told if item in wanted]


async def test_shutdown_drains_first(make_world: MakeWorld) -> None:
    """The node is cordoned and its pods are gone before anything is stopped."""
    world = await _make(make_world)
    wanted = (
        "sequence shutdown START",
        "cordonAndDrainNode START",
        "cordonAndDrainNode STOP",
        "stopAllPods START",
        "stopAllServices START",
        "sequence shutdown STOP",
    )

    await _shut_down(world)

    assert list(wanted) == _find_in_order(_tell(world.machines["w1"]), *wanted)
    assert ({"w1"}, []) == (world.plane.keeper.cordoned, world.plane.keeper.pods)


async def test_force_skips_the_drain(make_world: MakeWorld) -> None:
    """Pods stay as they are; the node is cordoned all the same, by the stage of its machine."""
    world = await _make(make_world)

    await _shut_down(world, force=True)

    assert "cordonAndDrainNode START" not in _tell(world.machines["w1"])
    assert ({"w1"}, [_POD]) == (world.plane.keeper.cordoned, world.plane.keeper.pods)


async def test_a_budget_delays_and_does_not_fail(make_world: MakeWorld) -> None:
    """After five minutes the machine goes on; only its console tells of the pod."""
    world = await _make(make_world)
    world.plane.keeper.guarded.add(_POD.name)
    began_s = world.clock.elapsed_s()

    await _shut_down(world)

    console = world.machines["w1"].boot.console
    assert world.clock.elapsed_s() - began_s >= 300
    assert any(
        line.endswith(
            "WARNING: failed to evict pod: failed to evict pod default/web-1: "
            "client rate limiter Wait returned an error: context deadline exceeded"
        )
        for line in console
    )
    assert not any("sequence failed" in item for item in _tell(world.machines["w1"]))


async def test_without_an_api_a_shutdown_becomes_a_reboot(make_world: MakeWorld) -> None:
    """A node that cannot be cordoned for a minute fails the sequence, and that reboots."""
    world = await _make(make_world)
    machine, before = world.machines["w1"], world.machines["w1"].boot
    world.plane.keeper.problem = _AWAY

    await _stub(world).Shutdown(machine_pb2.ShutdownRequest())
    await world.until(lambda: machine.boot is not before)
    world.plane.keeper.problem = ""
    await world.until(lambda: machine.boot.stage is Stage.RUNNING)

    assert any(
        line.endswith(
            "shutdown failed: error running phase 2 in shutdown sequence: task 1/1: failed, "
            "context deadline exceeded"
        )
        for line in before.console
    )
    assert machine.boot.id != before.id


async def test_pods_that_cannot_be_listed_fail_the_upgrade(make_world: MakeWorld) -> None:
    """Nothing is written, and the machine comes back with the version that it had."""
    world = await _make(make_world)
    machine, before = world.machines["w1"], world.machines["w1"].boot
    world.plane.keeper.cordoned.add("w1")
    world.plane.keeper.problem = _AWAY

    await _stub(world).Upgrade(machine_pb2.UpgradeRequest(image=_NEXT))
    await world.until(lambda: machine.boot is not before)
    await world.until(lambda: machine.boot.stage is Stage.RUNNING)

    said = f"task 1/1: failed, cannot get pods for node w1: {_AWAY}"
    assert any(line.endswith(said) for line in before.console)
    assert "v1.13.9" == machine.boot.version


async def test_legacy_upgrade_drains_and_uncordons(make_world: MakeWorld) -> None:
    """The new version boots, and its first look at the node takes Talos' own mark away."""
    world = await _make(make_world)
    machine = world.machines["w1"]

    await _stub(world).Upgrade(machine_pb2.UpgradeRequest(image=_NEXT))
    await world.until(lambda: "w1" in world.plane.keeper.cordoned)
    await world.until(lambda: machine.boot.version == "v1.13.10")
    await world.until(lambda: "w1" not in world.plane.keeper.cordoned)

    assert [] == world.plane.keeper.pods
    assert machine.boot.stage is Stage.RUNNING


async def test_graceless_reset_does_not_drain(make_world: MakeWorld) -> None:
    """The node is cordoned by the stage of its machine, and its pods are stopped with it."""
    world = await _make(make_world)
    machine = world.machines["w1"]

    await _stub(world).Reset(machine_pb2.ResetRequest(graceful=False, reboot=True))
    await world.until(lambda: machine.boot.stage is Stage.MAINTENANCE)

    assert ({"w1"}, [_POD]) == (world.plane.keeper.cordoned, world.plane.keeper.pods)


async def test_graceful_reset_goes_on_without_an_api(make_world: MakeWorld) -> None:
    """What fails of its drain is only logged."""
    world = await _make(make_world)
    machine, before = world.machines["w1"], world.machines["w1"].boot
    world.plane.keeper.problem = _AWAY

    await _stub(world).Reset(machine_pb2.ResetRequest(graceful=True, reboot=True))
    await world.until(lambda: machine.boot.stage is Stage.MAINTENANCE)

    said = "task cordonAndDrainNode (1/1): failed: context deadline exceeded"
    assert any(line.endswith(said) for line in before.console)
    assert machine.install is None


async def test_force_takes_over_a_blocked_upgrade(make_world: MakeWorld) -> None:
    """A reboot is refused while an upgrade drains; a shutdown ends it."""
    world = await _make(make_world)
    machine = world.machines["w1"]
    world.plane.keeper.guarded.add(_POD.name)
    world.clock.change_speed(_SLOW)  # five minutes are longer than any test
    began_s = world.clock.elapsed_s()

    await _stub(world).Upgrade(machine_pb2.UpgradeRequest(image=_NEXT))
    await world.until(lambda: "cordonAndDrainNode START" in _tell(machine))
    machine.requests.put_nowait(_REBOOT)
    await world.until(lambda: "sequence reboot sequence not started: locked" in _tell(machine))
    await _shut_down(world, force=True)

    assert "sequence upgrade sequence failed: context canceled" in _tell(machine)
    assert world.clock.elapsed_s() - began_s < 300
    assert machine.install is not None
    assert "v1.13.9" == machine.install.image.version


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        (
            PowerRequest(Verb.REBOOT),
            (
                "cleanup dbus stopServices umount unmountBind unmountSystem volumeFinalize kexec "
                "stopEverything reboot"
            ),
        ),
        (
            PowerRequest(Verb.SHUTDOWN, reboots=False, drains=True),
            (
                "storeShutdown drain cleanup dbus stopServices umount unmountBind unmountSystem "
                "volumeFinalize stopEverything shutdown"
            ),
        ),
        (
            PowerRequest(Verb.UPGRADE, drains=True),
            (
                "drain cleanup dbus stopServices unmount unmountBind unmountSystem volumeFinalize "
                "upgrade meta kexec stopEverything reboot"
            ),
        ),
        (
            PowerRequest(Verb.RESET, wipes=frozenset({"*"}), leaves_etcd=True, drains=True),
            (
                "drain cleanup dbus leave preReset stopServices umount unmountBind unmountSystem "
                "volumeFinalize stopEverything forceCleanup reset reboot"
            ),
        ),
        (
            PowerRequest(Verb.RESET, wipes=frozenset({"STATE"}), reboots=False),
            (
                "cleanup dbus preReset stopServices umount unmountBind unmountSystem "
                "volumeFinalize kexec stopEverything forceCleanup resetSpec shutdown"
            ),
        ),
    ],
)
def test_phases_are_those_of_talos(request_: PowerRequest, wanted: str) -> None:
    """Each sequence has the phases of Talos 1.13, in their order."""
    phases = list_phases(request_, is_control_plane=True)

    assert wanted == " ".join(phase.name for phase in phases)


async def test_a_kubelet_may_register_no_node(make_world: MakeWorld) -> None:
    """With `skipNodeRegistration` the machine waits for no node, and stops without a drain."""
    world = make_world(["cp1", "w1"])
    await world.machines.start()
    await world.configure("cp1")
    document = yaml.safe_load(world.cluster.write_config("w1"))
    document["machine"]["kubelet"]["skipNodeRegistration"] = True
    request = machine_pb2.ApplyConfigurationRequest(
        data=yaml.safe_dump(document).encode(), mode="AUTO"
    )
    await MachineServiceStub(world.connect_insecure("w1")).ApplyConfiguration(request)
    await world.bootstrap()
    await world.until(lambda: world.machines["w1"].boot.ready)
    await world.wait_configured("w1")

    await _shut_down(world)

    assert set(world.plane.nodes) == {"cp1"}
    assert world.plane.keeper.cordoned == set()

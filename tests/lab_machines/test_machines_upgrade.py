"""Upgrades by the new flow and the old one, rollback, staged ones."""

from __future__ import annotations

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from lab.machines.protos import common_pb2, image_pb2, lifecycle_pb2, machine_pb2
from lab.machines.protos.image_grpc import ImageServiceStub
from lab.machines.protos.lifecycle_grpc import LifecycleServiceStub
from lab.machines.protos.machine_grpc import MachineServiceStub
from tests.lab_machines.lab_machines_boots import make_cluster, reboot
from tests.lab_machines.lab_machines_world import MakeWorld, World

_REPOSITORY = "factory.talos.dev/metal-installer"
_SCHEMATIC = "a" * 64
_NEXT = f"{_REPOSITORY}/{_SCHEMATIC}:v1.14.0"
_SYSTEM = common_pb2.ContainerdInstance(driver="CRI", namespace="NS_SYSTEM")


async def _pull(world: World, name: str, image: str) -> list[str]:
    request = image_pb2.ImageServicePullRequest(containerd=_SYSTEM, image_ref=image)
    replies = await ImageServiceStub(world.connect(name)).Pull(request)
    return [reply.name for reply in replies if reply.name]


async def _install(world: World, name: str, image: str) -> tuple[int, list[str]]:
    """Write the other slot; return the exit code and the lines before it."""
    source = lifecycle_pb2.InstallArtifactsSource(image_name=image)
    request = lifecycle_pb2.LifecycleServiceUpgradeRequest(containerd=_SYSTEM, source=source)
    replies = await LifecycleServiceStub(world.connect(name)).Upgrade(request)
    lines = [r.progress.message for r in replies if r.progress.HasField("message")]
    codes = [r.progress.exit_code for r in replies if not r.progress.HasField("message")]
    return codes[-1], lines


async def test_the_new_flow_changes_the_next_boot_only(make_world: MakeWorld) -> None:
    """Pull, write, reboot: the version changes with the reboot, the schematic with it."""
    world = await make_cluster(make_world, "cp1")
    machine = world.machines["cp1"]

    pulled = await _pull(world, "cp1", _NEXT)
    code, _ = await _install(world, "cp1", _NEXT)
    running = machine.boot.version
    await reboot(world, "cp1")

    assert (pulled, code, running) == ([_NEXT], 0, "v1.13.9")
    assert (machine.boot.version, machine.boot.image.schematic) == ("v1.14.0", _SCHEMATIC)


async def test_a_slot_that_does_not_boot_falls_back_silently(make_world: MakeWorld) -> None:
    """The machine is running and ready again, with the old version."""
    world = await make_cluster(make_world, "cp1")
    world.machines["cp1"].set_fault("old-version")
    await _pull(world, "cp1", _NEXT)
    await _install(world, "cp1", _NEXT)

    await reboot(world, "cp1")
    await world.wait_ready()

    assert world.machines["cp1"].boot.version == "v1.13.9"


async def test_rollback_returns_to_the_other_slot(make_world: MakeWorld) -> None:
    """After an upgrade a rollback boots the old image; without one there is nothing to go to."""
    world = await make_cluster(make_world, "cp1")
    stub, machine = MachineServiceStub(world.connect("cp1")), world.machines["cp1"]
    with pytest.raises(GRPCError) as caught:
        await stub.Rollback(machine_pb2.RollbackRequest())
    await _pull(world, "cp1", _NEXT)
    await _install(world, "cp1", _NEXT)
    await reboot(world, "cp1")
    before = machine.boot.id

    await MachineServiceStub(world.connect("cp1")).Rollback(machine_pb2.RollbackRequest())
    await world.until(lambda: machine.boot.id != before and machine.is_reachable)

    assert caught.value.message == "previous UKI not found"
    assert machine.boot.version == "v1.13.9"


async def test_an_installer_that_fails_tells_its_exit_code(make_world: MakeWorld) -> None:
    """The stream ends with a code other than 0 and the next boot is what it was."""
    world = await make_cluster(make_world, "cp1")
    world.machines["cp1"].set_fault("install-fails")
    await _pull(world, "cp1", _NEXT)

    code, lines = await _install(world, "cp1", _NEXT)
    await reboot(world, "cp1")

    assert (code, lines[-1].startswith("error: ")) == (1, True)
    assert world.machines["cp1"].boot.version == "v1.13.9"


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("v1.16.0", "error: host version 1.13.9 is too old to upgrade to Talos 1.16.0"),
        ("v1.11.3", "error: host version 1.13.9 is too new to downgrade to Talos 1.11.3"),
    ],
)
async def test_a_hop_too_far_is_refused(make_world: MakeWorld, version: str, said: str) -> None:
    """The installer refuses versions that this one cannot go to."""
    world = await make_cluster(make_world, "cp1")
    image = f"{_REPOSITORY}/{_SCHEMATIC}:{version}"
    await _pull(world, "cp1", image)

    assert await _install(world, "cp1", image) == (1, ["running Talos installer " + version, said])


async def test_an_image_must_be_there_and_only_one_installer_runs(make_world: MakeWorld) -> None:
    """An image that was not pulled, and a second installer, are refused."""
    world = await make_cluster(make_world, "cp1")
    with pytest.raises(GRPCError) as missing:
        await _install(world, "cp1", _NEXT)
    await _pull(world, "cp1", _NEXT)

    # Set, not raced for: at this speed an installer is done before a second call arrives.
    world.machines["cp1"].is_writing = True
    with pytest.raises(GRPCError) as second:
        await _install(world, "cp1", _NEXT)

    assert missing.value.status is Status.INTERNAL
    assert "not found in containerd store" in str(missing.value.message)
    assert second.value.message == "another installation/upgrade is already in progress"


async def test_the_old_flow_asks_etcd_first(make_world: MakeWorld) -> None:
    """Two members are not enough for it, unless data is to be preserved."""
    world = await make_cluster(make_world, "cp1", "cp2")
    stub, machine = MachineServiceStub(world.connect("cp1")), world.machines["cp1"]
    before = machine.boot.id

    with pytest.raises(GRPCError) as caught:
        await stub.Upgrade(machine_pb2.UpgradeRequest(image=_NEXT))
    await stub.Upgrade(machine_pb2.UpgradeRequest(image=_NEXT, preserve=True))
    await world.until(lambda: machine.boot.id != before and machine.is_reachable)

    assert caught.value.message == (
        "error validating etcd for upgrade: etcd member count(2) is insufficient to maintain "
        "quorum if upgrade commences"
    )
    assert machine.boot.version == "v1.14.0"


async def test_a_staged_upgrade_takes_two_boots(make_world: MakeWorld) -> None:
    """The first boot writes the other slot before anything starts, the second runs it."""
    world = await make_cluster(make_world, "cp1", "w1")
    machine = world.machines["w1"]
    request = machine_pb2.UpgradeRequest(image=_NEXT, stage=True)

    await MachineServiceStub(world.connect("w1")).Upgrade(request)
    await world.until(lambda: machine.boot.version == "v1.14.0" and machine.is_reachable)

    acts = world.ledger.acts
    # The install's own reboot, and that of the boot which wrote the slot.
    assert (acts["machine.stageUpgrade/w1"], acts["machine.reboot/w1"]) == (1, 2)

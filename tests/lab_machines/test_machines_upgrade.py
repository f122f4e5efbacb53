"""Upgrades by the new flow and the old one, rollback, what a reset wipes, META."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from google.protobuf.empty_pb2 import Empty
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from lab.machines import Disk, Stage
from lab.machines.protos import common_pb2, image_pb2, lifecycle_pb2, machine_pb2
from lab.machines.protos.image_grpc import ImageServiceStub
from lab.machines.protos.lifecycle_grpc import LifecycleServiceStub
from lab.machines.protos.machine_grpc import MachineServiceStub
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


async def _reboot(world: World, name: str) -> None:
    machine = world.machines[name]
    before = machine.boot.id
    await MachineServiceStub(world.connect(name)).Reboot(machine_pb2.RebootRequest())
    await world.until(lambda: machine.boot.id != before and machine.is_reachable)


async def _make(make_world: MakeWorld, *names: str) -> World:
    world = make_world(names)
    await world.machines.start()
    await world.configure(*names)
    await world.bootstrap()
    return world


async def test_the_new_flow_changes_the_next_boot_only(make_world: MakeWorld) -> None:
    """Pull, write, reboot: the version changes with the reboot, the schematic with it."""
    world = await _make(make_world, "cp1")
    machine = world.machines["cp1"]

    pulled = await _pull(world, "cp1", _NEXT)
    code, _ = await _install(world, "cp1", _NEXT)
    running = machine.boot.version
    await _reboot(world, "cp1")

    assert (pulled, code, running) == ([_NEXT], 0, "v1.13.9")
    assert (machine.boot.version, machine.boot.image.schematic) == ("v1.14.0", _SCHEMATIC)


async def test_a_slot_that_does_not_boot_falls_back_silently(make_world: MakeWorld) -> None:
    """The machine is running and ready again, with the old version."""
    world = await _make(make_world, "cp1")
    world.machines["cp1"].set_fault("old-version")
    await _pull(world, "cp1", _NEXT)
    await _install(world, "cp1", _NEXT)

    await _reboot(world, "cp1")
    await world.wait_ready()

    assert world.machines["cp1"].boot.version == "v1.13.9"


async def test_rollback_returns_to_the_other_slot(make_world: MakeWorld) -> None:
    """After an upgrade a rollback boots the old image; without one there is nothing to go to."""
    world = await _make(make_world, "cp1")
    stub, machine = MachineServiceStub(world.connect("cp1")), world.machines["cp1"]
    with pytest.raises(GRPCError) as caught:
        await stub.Rollback(machine_pb2.RollbackRequest())
    await _pull(world, "cp1", _NEXT)
    await _install(world, "cp1", _NEXT)
    await _reboot(world, "cp1")
    before = machine.boot.id

    await MachineServiceStub(world.connect("cp1")).Rollback(machine_pb2.RollbackRequest())
    await world.until(lambda: machine.boot.id != before and machine.is_reachable)

    assert caught.value.message == "previous UKI not found"
    assert machine.boot.version == "v1.13.9"


async def test_an_installer_that_fails_tells_its_exit_code(make_world: MakeWorld) -> None:
    """The stream ends with a code other than 0 and the next boot is what it was."""
    world = await _make(make_world, "cp1")
    world.machines["cp1"].set_fault("install-fails")
    await _pull(world, "cp1", _NEXT)

    code, lines = await _install(world, "cp1", _NEXT)
    await _reboot(world, "cp1")

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
    world = await _make(make_world, "cp1")
    image = f"{_REPOSITORY}/{_SCHEMATIC}:{version}"
    await _pull(world, "cp1", image)

    assert await _install(world, "cp1", image) == (1, ["running Talos installer " + version, said])


async def test_an_image_must_be_there_and_only_one_installer_runs(make_world: MakeWorld) -> None:
    """An image that was not pulled, and a second installer, are refused."""
    world = await _make(make_world, "cp1")
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
    world = await _make(make_world, "cp1", "cp2")
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
    world = await _make(make_world, "cp1", "w1")
    machine = world.machines["w1"]
    request = machine_pb2.UpgradeRequest(image=_NEXT, stage=True)

    await MachineServiceStub(world.connect("w1")).Upgrade(request)
    await world.until(lambda: machine.boot.version == "v1.14.0" and machine.is_reachable)

    acts = world.ledger.acts
    # The install's own reboot, and that of the boot which wrote the slot.
    assert (acts["machine.stageUpgrade/w1"], acts["machine.reboot/w1"]) == (1, 2)


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
    world = await _make(make_world, "cp1", "w1")
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
    world = await _make(make_world, "cp1")
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
    world = await _make(make_world, "cp1")
    stub = MachineServiceStub(world.connect("cp1"))
    await stub.MetaWrite(machine_pb2.MetaWriteRequest(key=10, value=b"kept"))

    await _reboot(world, "cp1")

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
    world = await _make(make_world, "cp1")
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

"""Commands that end a boot: followed to their end, with what they say on the way."""

from __future__ import annotations

import pytest

from lab.machines import Stage
from tests.lab_machines.lab_machines_world import MakeWorld, World
from tests.talos_rows.talos_rows_tool import (
    NODES,
    PREFIX,
    TRACKED_SPEED,
    Talosctl,
    address_of,
    make_cluster,
)

pytestmark = pytest.mark.tools

_NEXT = "factory.talos.dev/metal-installer/" + "a" * 64 + ":v1.13.10"


async def _make(make_world: MakeWorld, talosctl: Talosctl, *names: str) -> World:
    world = make_world(names)
    await make_cluster(world, talosctl, *names)
    world.clock.change_speed(TRACKED_SPEED)
    return world


@pytest.mark.row("reboot", "connection cut")
async def test_reboot(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """The tracker sees the machine go and come back with another boot id."""
    world = await _make(make_world, talosctl, "cp1")
    machine = world.machines["cp1"]
    before = machine.boot.id

    result = await talosctl.run("reboot", "-n", NODES["cp1"], "--timeout", "40s")

    said = result.stderr.splitlines()
    assert (result.code, result.stdout) == (0, "")
    assert said[0] == f'"{NODES["cp1"]}": waiting for actor ID'
    assert f'"{NODES["cp1"]}": unavailable, retrying...' in said
    assert said[-2:] == [
        f'"{NODES["cp1"]}": events check condition met',
        f'"{NODES["cp1"]}": post check passed',
    ]
    assert machine.boot.id != before
    assert machine.boot.stage is Stage.RUNNING


@pytest.mark.row("reset")
async def test_reset(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """With a reboot the tracker waits for maintenance; wrong disks and modes are refused."""
    world = await _make(make_world, talosctl, "cp1", "w1")
    node = address_of(world, "w1")
    words = ("reset", "-n", node, "--graceful=false", "--reboot", "--timeout", "40s")

    wrong = await talosctl.run(*words, "--user-disks-to-wipe", "/dev/nope")
    mode = await talosctl.run(*words, "--wipe-mode", "nope")
    result = await talosctl.run(*words)

    assert wrong.code == 1
    assert (
        f'"{node}": rpc error: code = Unknown desc = reset user disk failed: device /dev/nope '
        "wasn't found"
    ) in wrong.stderr
    assert (mode.code, "possible options are: " in mode.error) == (1, True)
    assert result.code == 0, result.stderr
    assert result.stderr.splitlines()[-1] == f'"{node}": post check passed'
    await world.until(lambda: world.machines["w1"].boot.stage is Stage.MAINTENANCE)
    assert world.machines["w1"].install is None


@pytest.mark.row("shutdown")
async def test_shutdown(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """The tracker is content when services are stopped; the machine is off afterwards."""
    world = await _make(make_world, talosctl, "cp1", "w1")

    result = await talosctl.run("shutdown", "-n", NODES["w1"], "--timeout", "40s")

    assert result.code == 0, result.stderr
    assert result.stderr.splitlines()[-1] == f'"{NODES["w1"]}": events check condition met'
    await world.until(lambda: not world.machines["w1"].is_reachable)


@pytest.mark.row("upgrade", "rollback")
async def test_upgrade_and_rollback(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """Pull, install, reboot into the new version; rollback into the old one."""
    world = await _make(make_world, talosctl, "cp1")
    machine = world.machines["cp1"]
    one = ("-n", NODES["cp1"])

    nothing = await talosctl.run("rollback", *one)
    result = await talosctl.run("upgrade", "-i", _NEXT, "--drain=false", *one, "--timeout", "40s")
    upgraded, before = machine.boot.version, machine.boot.id
    back = await talosctl.run("rollback", *one)
    await world.until(lambda: machine.boot.id != before and machine.is_reachable)

    said = result.stderr.splitlines()
    where = f" on node {NODES['cp1']}" if talosctl.asks_each else ""
    assert (nothing.code, nothing.error.startswith(f"error executing rollback{where}: ")) == (
        1,
        True,
    )
    assert nothing.error.endswith("rpc error: code = Unknown desc = previous UKI not found")
    assert (result.code, result.stdout) == (0, "")
    assert said[0] == f"{NODES['cp1']}: pulled image {_NEXT}"
    assert f"{NODES['cp1']}: upgrade completed" in said
    assert said[-1] == f'"{NODES["cp1"]}": post check passed'
    assert upgraded == "v1.13.10"
    assert (back.code, back.stdout, machine.boot.version) == (0, "", "v1.13.9")


@pytest.mark.row("upgrade")
async def test_upgrade_that_fails(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """An installer's exit code is told, and nothing reboots."""
    world = await _make(make_world, talosctl, "cp1")
    machine = world.machines["cp1"]
    machine.set_fault("install-fails")
    before = machine.boot.id

    result = await talosctl.run("upgrade", "-i", _NEXT, "--drain=false", "-n", NODES["cp1"])

    assert result.code == 1
    assert result.error.endswith(
        f"error during upgrade: node {NODES['cp1']}: upgrade failed with exit code 1"
    )
    assert (machine.boot.id, machine.boot.version) == (before, "v1.13.9")


@pytest.mark.row("upgrade --legacy")
async def test_upgrade_by_the_old_method(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """It asks etcd first, says that it is old, and follows the reboot."""
    world = await _make(make_world, talosctl, "cp1", "cp2")
    words = ("upgrade", "--legacy", "-i", _NEXT, "--drain=false", "--timeout", "40s", "-n")

    refused = await talosctl.run(*words, NODES["cp1"])
    forced = await talosctl.run(*words, NODES["cp1"], "--preserve")

    assert refused.code == 1
    assert (
        f'"{NODES["cp1"]}": rpc error: code = Unknown desc = error validating etcd for upgrade: '
        "etcd member count(2) is insufficient to maintain quorum if upgrade commences"
    ) in refused.stderr
    assert forced.code == 0, forced.stderr
    said = forced.stderr.splitlines()
    assert said[0].startswith("Flag --preserve has been deprecated, ")
    assert said[1].startswith("WARNING: Forcing use of legacy upgrade method.")
    assert said[-1] == f'"{NODES["cp1"]}": post check passed'
    assert world.machines["cp1"].boot.version == "v1.13.10"


@pytest.mark.row("upgrade --legacy")
async def test_upgrade_of_an_older_machine(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """A machine without the new interface is upgraded by the old method by itself."""
    world = await _make(make_world, talosctl, "cp1")
    machine = world.machines["cp1"]
    image = "ghcr.io/siderolabs/installer:v1.12.4"
    assert machine.install is not None
    machine.install.image = type(machine.install.image)("v1.12.4")
    before = machine.boot.id
    world.clock.change_speed(2000.0)
    machine.request_reboot()
    await world.until(lambda: machine.boot.id != before and machine.is_reachable)
    await world.wait_ready()

    result = await talosctl.run(
        "upgrade", "-i", image, "--drain=false", "-n", f"{PREFIX}11", "--wait=false"
    )

    assert result.code == 0, result.stderr
    assert "New upgrade API is not available, falling back to legacy" in result.stderr
    assert [row[:2] for row in result.rows] == [
        ["NODE", "ACK"],
        [NODES["cp1"], "Upgrade request received"],
    ]

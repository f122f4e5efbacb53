"""What machines in maintenance refuse, by the version of Talos, as talosctl words it."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from tests.lab_machines.lab_machines_world import PORT, MakeWorld, World
from tests.talos_rows.talos_rows_tool import NODES, Result, Talosctl, address_of, write_talosconfig

pytestmark = pytest.mark.tools


@pytest.mark.row("not for readers in maintenance")
async def test_maintenance_is_for_readers(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """Writing META is not authorized without a config."""
    world = make_world(["cp1"])
    await world.machines.start()

    result = await _write_meta(world, talosctl, "cp1")

    assert result.code == 1
    assert "code = PermissionDenied desc = not authorized" in result.error


@pytest.mark.row("maintenance of Talos 1.12 and older")
async def test_maintenance_of_older_talos(make_world: MakeWorld, talosctl: Talosctl) -> None:
    """The small server of old serves configurations, disks and resources, and nothing else."""
    world = make_world(["cp1"], talos_version="v1.12.4")
    await world.machines.start()
    config = talosctl.write("cp1.yaml", world.cluster.write_config("cp1"))
    node = ("-i", "-n", address_of(world, "cp1"))
    apply = ("apply-config", *node, "-f", config)

    version = await talosctl.run("version", "--short", *node)
    meta = await _write_meta(world, talosctl, "cp1")
    disks = await talosctl.run("get", "disks", *node)
    staged = await talosctl.run(*apply, "--mode", "staged")
    tried = await talosctl.run(*apply, "--dry-run")
    await _trust_maintenance(world, talosctl, "cp1")
    begin = await talosctl.run("bootstrap", "-n", NODES["cp1"])
    health = await talosctl.run("health", "-n", NODES["cp1"])
    applied = await talosctl.run(*apply)
    await world.wait_configured("cp1")

    refused = "code = Unimplemented desc = "
    assert version.error.endswith(f"{refused}API is not implemented in maintenance mode")
    assert meta.error.endswith(f"{refused}API is not implemented in maintenance mode")
    if talosctl.asks_each:  # it wants to know the version first, so it cannot look at all
        assert disks.error.endswith(f"{refused}API is not implemented in maintenance mode")
    else:
        assert "sda" in disks.stdout
    assert staged.error.endswith(
        f"{refused}apply configuration --mode='staged' is not supported in maintenance mode"
    )
    assert tried.stderr == (
        "Dry run summary:\nNode is running in maintenance mode and does not have a config yet.\n"
    )
    assert begin.error.endswith(f"{refused}method Bootstrap not implemented")
    assert health.error.endswith(f"{refused}unknown service cluster.ClusterService")
    assert (version.code, meta.code, staged.code, begin.code, health.code) == (1, 1, 1, 1, 1)
    assert (disks.code, tried.code, applied.code) == (int(talosctl.asks_each), 0, 0)
    assert applied.stderr == ""


@pytest.mark.row("control-plane call in maintenance")
async def test_a_control_plane_call_in_maintenance(
    make_world: MakeWorld, talosctl: Talosctl
) -> None:
    """Without a config a machine is neither, and says which call that is too early for.

    talosctl has no --insecure for these: whoever has the machine's own certificate can ask.
    """
    world = make_world(["cp1"])
    await world.machines.start()
    await _trust_maintenance(world, talosctl, "cp1")

    members = await talosctl.run("etcd", "members", "-n", NODES["cp1"])
    health = await talosctl.run("health", "-n", NODES["cp1"])
    begin = await talosctl.run("bootstrap", "-n", NODES["cp1"])

    early = "code = Unimplemented desc = machine type is not set, cannot use"
    assert members.error.endswith(f"{early} member list API")
    assert health.error.endswith(f"{early} cluster health check API")
    assert begin.error.endswith("code = PermissionDenied desc = not authorized")
    assert (members.code, health.code, begin.code) == (1, 1, 1)


async def _write_meta(world: World, talosctl: Talosctl, name: str) -> Result:
    """Write META of a machine in maintenance; from 1.14 on, talosctl has no --insecure for it."""
    words = ("meta", "write", "10", "x", "-n")
    if not talosctl.asks_each:
        return await talosctl.run(*words, address_of(world, name), "-i")
    await _trust_maintenance(world, talosctl, name)
    return await talosctl.run(*words, NODES[name])


async def _trust_maintenance(world: World, talosctl: Talosctl, name: str) -> None:
    """Write a talosconfig that trusts the certificate of a machine in maintenance."""
    node = address_of(world, name)
    shown = await asyncio.to_thread(ssl.get_server_certificate, (node, PORT))
    write_talosconfig(talosctl, world.cluster, node, trusted=shown.encode())

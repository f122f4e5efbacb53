"""Machines with an address each on a Docker network, as talosctl meets them when it goes wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.addresses import Addresses
from tests.containers.containers_network import ContainerNetwork
from tests.lab_machines.lab_machines_world import World, make_specs, make_world_on
from tests.talos_rows.talos_rows_tool import (
    NODES,
    Result,
    Talosctl,
    address_of,
    find_talosctl,
    write_talosconfig,
)

pytestmark = pytest.mark.e2e

_NAMES = ["cp1", "w1"]
_SPEED = 200.0
# Linux says no route as soon as nobody answers for the address on the link.
_SILENT = ("i/o timeout", "connect: no route to host")


@pytest.fixture
async def world(network: ContainerNetwork) -> AsyncIterator[World]:
    """Two machines in maintenance, each in a container's network."""
    specs = make_specs(_NAMES)
    addresses: Addresses = await asyncio.to_thread(network.reserve, [s.address for s in specs])
    made = make_world_on(addresses, specs, _SPEED)
    await made.machines.start()
    yield made
    for channel in made.channels:
        channel.close()
    await made.machines.stop()


@pytest.fixture
def talosctl(tmp_path: Path, world: World) -> Talosctl:
    """The real talosctl where there is one, with the cluster's talosconfig."""
    found = find_talosctl(tmp_path)
    write_talosconfig(found, world.cluster, address_of(world, "cp1"))
    return found


async def test_nodes_join_after_partitions(
    network: ContainerNetwork, world: World, talosctl: Talosctl
) -> None:
    """From maintenance to a joined node, with a partition at each moment that matters."""
    control, worker = (address_of(world, name) for name in _NAMES)
    applied = await _apply(world, talosctl, "cp1")
    await asyncio.to_thread(network.partition, worker)
    alone = await _apply(world, talosctl, "w1", speed=_SPEED)
    await asyncio.to_thread(network.mend, worker)
    again = await _apply(world, talosctl, "w1")
    await asyncio.to_thread(network.partition, control)  # while both install and boot
    await world.wait_configured("cp1")
    early = await talosctl.run("bootstrap", "-n", NODES["cp1"], speed=_SPEED)
    await asyncio.to_thread(network.mend, control)
    begun = await talosctl.run("bootstrap", "-n", NODES["cp1"])
    await world.wait_ready()
    members = await talosctl.run("etcd", "members", "-n", NODES["cp1"])
    both = await talosctl.run("version", "--short", "-n", f"{NODES['cp1']},10.77.0.12")

    assert {control, worker}.isdisjoint(NODES.values())
    assert not control.startswith("127.")
    assert (applied.code, alone.code, again.code) == (0, 1, 0)
    assert (early.code, begun.code, members.code, both.code) == (1, 0, 0, 0)
    assert _tells_of_silence(alone, worker)
    assert _tells_of_silence(early, control)
    assert ["cp1", "w1"] == sorted(world.plane.nodes)
    assert {1} == {world.ledger.acts[f"machine.install/{name}"] for name in _NAMES}


async def test_slow_link_is_borne(
    network: ContainerNetwork, world: World, talosctl: Talosctl
) -> None:
    """A link that is late and narrow makes calls take longer, and they end well."""
    node = ("-i", "-n", address_of(world, "cp1"))
    plain, plain_s = await _time(talosctl, "get", "disks", *node)
    await asyncio.to_thread(network.slow, address_of(world, "cp1"), "64kbit")
    slow, slow_s = await _time(talosctl, "get", "disks", *node)
    applied = await _apply(world, talosctl, "cp1")
    await asyncio.to_thread(network.hasten, address_of(world, "cp1"))

    assert (plain.code, slow.code, applied.code) == (0, 0, 0)
    assert plain.stdout == slow.stdout
    assert slow_s > plain_s + 0.5


async def test_machine_that_is_cut_comes_back(
    network: ContainerNetwork, world: World, talosctl: Talosctl
) -> None:
    """A machine's link goes with its container; what stood hangs, and it goes on afterwards."""
    node = address_of(world, "cp1")
    reader, writer = await asyncio.open_connection(node, 50000)
    await asyncio.to_thread(network.kill, node)
    writer.write(b"x")
    gone = await talosctl.run("version", "-i", "-n", node, speed=_SPEED)
    hung = not writer.is_closing()
    await asyncio.to_thread(network.revive, node)
    closed = await talosctl.run("version", "-i", "-n", node)
    with pytest.raises(ConnectionResetError):
        await reader.read()
    world.machines["cp1"].gate.line.renew()
    back = await talosctl.run("version", "--short", "-i", "-n", node)
    writer.close()

    assert hung
    assert (gone.code, closed.code, back.code) == (1, 1, 0)
    assert _tells_of_silence(gone, node)
    assert closed.error.endswith('connect: connection refused"')


async def _apply(world: World, talosctl: Talosctl, name: str, *, speed: float = 1.0) -> Result:
    config = talosctl.write(f"{name}.yaml", world.cluster.write_config(name))
    node = address_of(world, name)
    return await talosctl.run("apply-config", "-i", "-n", node, "-f", config, speed=speed)


async def _time(talosctl: Talosctl, *words: str) -> tuple[Result, float]:
    begun = time.monotonic()
    result = await talosctl.run(*words)
    return result, time.monotonic() - begun


def _tells_of_silence(result: Result, node: str) -> bool:
    return any(f"dial tcp {node}:50000: {text}" in result.error for text in _SILENT)

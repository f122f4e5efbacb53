"""Machines that drain themselves, against the lab's own Kubernetes: what talosctl follows of it."""

from __future__ import annotations

import asyncio

import pytest

from lab.kubernetes import Kubernetes
from lab.kubernetes.values import dig, name_of
from lab.machines import Stage
from lab.machines.boot import PowerRequest, Verb
from tests.lab_machines.lab_machines_world import SPEED, World
from tests.talos_rows.talos_rows_kubernetes import guard_web, is_cordoned, list_web, node_of
from tests.talos_rows.talos_rows_tool import NODES, Talosctl, address_of, write_talosconfig

pytestmark = pytest.mark.tools

_NEXT = "factory.talos.dev/metal-installer/" + "a" * 64 + ":v1.13.10"
_W1 = NODES["w1"]
_FAST = 200.0  # five minutes in a second and a half


@pytest.mark.row("shutdown")
async def test_shutdown_drains(kubernetes: tuple[World, Kubernetes], talosctl: Talosctl) -> None:
    """The tracker tells of the drain before the rest; the node stays cordoned, by Talos."""
    world, plane = kubernetes
    write_talosconfig(talosctl, world.cluster, address_of(world, "cp1"))
    (before,) = await list_web(plane)

    result = await talosctl.run("shutdown", "-n", _W1, "--timeout", "40s")
    node = await plane.client.get("v1", "Node", "w1")

    assert result.code == 0, result.stderr
    wanted = [
        f'"{_W1}": sequence: shutdown action: START',
        f'"{_W1}": phase: storeShutdown action: START',
        f'"{_W1}": phase: drain action: START',
        f'"{_W1}": task: cordonAndDrainNode action: START',
        f'"{_W1}": task: cordonAndDrainNode action: STOP',
        f'"{_W1}": phase: drain action: STOP',
        f'"{_W1}": phase: cleanup action: START',
        f'"{_W1}": task: stopAllPods action: START',
        f'"{_W1}": events check condition met',
    ]
    assert [line for line in result.stderr.splitlines() if line in wanted] == wanted
    assert name_of(before) not in {name_of(pod) for pod in await list_web(plane)}
    assert dig(node, "spec", "unschedulable") is True
    assert dig(node, "metadata", "annotations", "talos.dev/cordoned") == "true"


@pytest.mark.row("shutdown")
async def test_shutdown_by_force_ends_a_drain(
    kubernetes: tuple[World, Kubernetes], talosctl: Talosctl
) -> None:
    """A budget holds one back, `--force` takes over and drains nothing."""
    world, plane = kubernetes
    write_talosconfig(talosctl, world.cluster, address_of(world, "cp1"))
    await guard_web(plane)
    machine = world.machines["w1"]

    asked = await talosctl.run("shutdown", "-n", _W1, "--wait=false")
    await world.until(lambda: machine.boot.stage is Stage.SHUTTING_DOWN)
    result = await talosctl.run("shutdown", "--force", "-n", _W1, "--timeout", "40s")

    assert (asked.code, result.code) == (0, 0), result.stderr
    assert f'"{_W1}": phase: drain action: START' not in result.stderr.splitlines()
    assert [node_of(pod) for pod in await list_web(plane)] == ["w1"]
    await world.until(lambda: not machine.is_reachable)


@pytest.mark.row("shutdown")
async def test_a_budget_delays_a_shutdown(
    kubernetes: tuple[World, Kubernetes], talosctl: Talosctl
) -> None:
    """After five minutes the machine goes on as if nothing were; only its console tells."""
    world, plane = kubernetes
    write_talosconfig(talosctl, world.cluster, address_of(world, "cp1"))
    await guard_web(plane)
    (pod,) = await list_web(plane)
    world.clock.change_speed(_FAST)
    began_s = world.clock.elapsed_s()

    result = await talosctl.run("shutdown", "-n", _W1, "--timeout", "40s")

    assert result.code == 0, result.stderr
    assert "error" not in result.stderr
    assert world.clock.elapsed_s() - began_s > 300
    warning = f"WARNING: failed to evict pod: failed to evict pod default/{name_of(pod)}: "
    assert any(warning in line for line in world.machines["w1"].boot.console)


@pytest.mark.row("shutdown")
async def test_shutdown_without_an_api(
    kubernetes: tuple[World, Kubernetes], talosctl: Talosctl
) -> None:
    """A node that cannot be cordoned fails the sequence, and the machine reboots instead."""
    world, _ = kubernetes
    write_talosconfig(talosctl, world.cluster, address_of(world, "w1"))
    machine, before = world.machines["w1"], world.machines["w1"].boot.id
    off = PowerRequest(Verb.SHUTDOWN, reboots=False, is_instant=True)
    world.machines["cp1"].requests.put_nowait(off)
    await world.until(lambda: not world.machines["cp1"].is_reachable)

    result = await talosctl.run("shutdown", "-n", _W1, "--timeout", "40s")

    said = (
        "sequence failed: error running phase 2 in shutdown sequence: task 1/1: failed, "
        "context deadline exceeded"
    )
    code, message = ("FATAL", said) if talosctl.tells_code_first else (said, "FATAL")
    assert result.code == 1
    assert (
        f'"{_W1}": sequence: shutdown action: NOOP error: [code: {code} message: {message}]'
        in result.stderr.splitlines()
    )
    assert f"sequence error: {said}" in result.stderr
    await world.until(lambda: machine.boot.id != before)


@pytest.mark.row("upgrade --legacy")
async def test_upgrade_by_the_old_method_drains(
    kubernetes: tuple[World, Kubernetes], talosctl: Talosctl
) -> None:
    """The machine empties its node itself, and gives it back once the new version runs."""
    world, plane = kubernetes
    write_talosconfig(talosctl, world.cluster, address_of(world, "cp1"))
    (before,) = await list_web(plane)
    words = ("upgrade", "--legacy", "-i", _NEXT, "--drain=false", "--timeout", "40s", "-n", _W1)

    result = await talosctl.run(*words)

    assert result.code == 0, result.stderr
    wanted = [
        f'"{_W1}": sequence: upgrade action: START',
        f'"{_W1}": task: cordonAndDrainNode action: STOP',
        f'"{_W1}": phase: upgrade action: START',
        f'"{_W1}": task: kexecPrepare action: START',
        f'"{_W1}": task: stopAllServices action: START',
        f'"{_W1}": post check passed',
    ]
    assert [line for line in result.stderr.splitlines() if line in wanted] == wanted
    assert world.machines["w1"].boot.version == "v1.13.10"
    assert name_of(before) not in {name_of(pod) for pod in await list_web(plane)}
    while await is_cordoned(plane, "w1"):  # noqa: ASYNC110 # Talos says nothing of it
        await asyncio.sleep(0.01)


@pytest.mark.row("reset")
async def test_a_graceful_reset_of_the_last_member(
    kubernetes: tuple[World, Kubernetes], talosctl: Talosctl
) -> None:
    """It drains, cannot leave etcd, and the machine reboots as it was."""
    world, plane = kubernetes
    machine, before = world.machines["cp1"], world.machines["cp1"].boot.id
    write_talosconfig(talosctl, world.cluster, address_of(world, "cp1"))

    result = await talosctl.run("reset", "-n", NODES["cp1"], "--reboot", "--timeout", "40s")
    world.clock.change_speed(SPEED)
    await world.until(lambda: machine.boot.id != before and machine.boot.apiserver_runs)
    await world.until(lambda: plane.is_node_ready("cp1"))

    assert result.code == 1
    assert (
        "sequence error: sequence failed: error running phase 4 in reset sequence: task 1/1: "
        "failed, failed to leave cluster: failed to remove member "
    ) in result.stderr
    assert "re-configuration failed due to not enough started members" in result.stderr
    while await is_cordoned(plane, "cp1"):  # noqa: ASYNC110 # Talos says nothing of it
        await asyncio.sleep(0.01)

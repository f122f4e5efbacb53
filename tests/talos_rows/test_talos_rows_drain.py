"""Upgrades and reboots that drain first, against the lab's own Kubernetes."""

from __future__ import annotations

import pytest

from lab.kubernetes import Kubernetes
from lab.kubernetes.values import dig, maps, name_of, text
from tests.lab_machines.lab_machines_world import SPEED, World
from tests.talos_rows.talos_rows_kubernetes import guard_web, is_cordoned, list_web, node_of
from tests.talos_rows.talos_rows_tool import NODES, Talosctl, address_of, write_talosconfig

pytestmark = pytest.mark.tools

_NEXT = "factory.talos.dev/metal-installer/" + "a" * 64 + ":v1.13.10"


@pytest.mark.row("upgrade with drain")
async def test_upgrade_drains_and_uncordons(
    kubernetes: tuple[World, Kubernetes], talosctl: Talosctl
) -> None:
    """Install, cordon, evict, reboot, wait for Ready, uncordon, each told in this order."""
    world, plane = kubernetes
    write_talosconfig(talosctl, world.cluster, address_of(world, "cp1"))
    (before,) = await list_web(plane)

    result = await talosctl.run("upgrade", "-i", _NEXT, "-n", NODES["w1"], "--timeout", "40s")

    assert (result.code, result.stdout) == (0, ""), result.stderr
    wanted = [
        f"{NODES['w1']}: upgrade completed",
        "w1: cordoning node",
        "w1: node cordoned",
        "w1: draining node",
        f"w1: evicting pod default/{name_of(before)}",
        "w1: node drained",
        f'"{NODES["w1"]}": post check passed',
        "w1: waiting for node to become Ready",
        "w1: uncordoning node",
        "w1: node uncordoned",
    ]
    assert [line for line in result.stderr.splitlines() if line in wanted] == wanted
    assert world.machines["w1"].boot.version == "v1.13.10"
    assert not await is_cordoned(plane, "w1")


@pytest.mark.row("etcd snapshot", "reset", "bootstrap --recover-from")
async def test_a_recovery_brings_kubernetes_back(
    kubernetes: tuple[World, Kubernetes], talosctl: Talosctl
) -> None:
    """What was deleted after the snapshot is there again, and the worker carries it as before."""
    world, plane = kubernetes
    machine = world.machines["cp1"]
    write_talosconfig(talosctl, world.cluster, address_of(world, "cp1"))
    path, one = str(talosctl.home / "etcd.snapshot"), ("-n", NODES["cp1"])
    wipe = ("--system-labels-to-wipe", "EPHEMERAL", "--graceful=false", "--reboot", "--wait=false")

    saved = await talosctl.run("etcd", "snapshot", path, *one)
    await plane.client.delete("apps/v1", "Deployment", "web", "default")
    world.clock.change_speed(SPEED)
    reset = await talosctl.run("reset", *wipe, *one)
    await world.until(lambda: machine.etcd is None)
    await world.wait_configured("cp1")
    recovered = await talosctl.run("bootstrap", "--recover-from", path, *one)
    await world.until(lambda: machine.boot.ready and machine.boot.apiserver_runs)
    await world.until(lambda: plane.is_node_ready("cp1") and plane.is_node_ready("w1"))

    assert [r.code for r in (saved, reset, recovered)] == [0, 0, 0], recovered.stderr
    assert await plane.client.find("apps/v1", "Deployment", "web", "default") is not None
    assert [node_of(pod) for pod in await list_web(plane)] == ["w1"]


@pytest.mark.row("upgrade-k8s")
async def test_upgrade_of_kubernetes(
    kubernetes: tuple[World, Kubernetes], talosctl: Talosctl
) -> None:
    """A dry run changes nothing; then components and kubelets are updated one by one."""
    world, plane = kubernetes
    world.clock.change_speed(400.0)
    write_talosconfig(talosctl, world.cluster, address_of(world, "cp1"))
    words = ("upgrade-k8s", "-n", NODES["cp1"], "--with-docs=false", "--with-examples=false")

    far = await talosctl.run(*words, "--from", "1.34.1", "--to", "1.36.4")
    dry = await talosctl.run(*words, "--to", "1.36.4", "--dry-run")
    before = await _read_versions(plane)
    result = await talosctl.run(*words, "--to", "1.36.4")

    assert (far.code, far.error) == (
        1,
        'unsupported upgrade path 1.34->1.36 (from "1.34.1" to "1.36.4")',
    )
    assert dry.code == 0, dry.stderr
    assert dry.stdout.count(" > skipped in dry-run\n") == 6
    assert before == {"v1.36.3"}
    assert result.code == 0, result.stderr
    wanted = [
        "automatically detected the lowest Kubernetes version 1.36.3",
        f'discovered controlplane nodes ["{NODES["cp1"]}"]',
        f'discovered worker nodes ["{NODES["w1"]}"]',
        'updating "kube-apiserver" to version "1.36.4"',
        " > update kube-apiserver: 1.36.3 -> 1.36.4",
        f' > "{NODES["cp1"]}": waiting for kube-apiserver pod update',
        'updating "kube-controller-manager" to version "1.36.4"',
        'updating "kube-scheduler" to version "1.36.4"',
        'updating kube-proxy to version "1.36.4"',
        'updating kubelet to version "1.36.4"',
        f' > "{NODES["w1"]}": waiting for kubelet restart',
        f' > "{NODES["w1"]}": waiting for node update',
        "updating manifests",
    ]
    assert [line for line in result.stdout.splitlines() if line in wanted] == wanted
    assert await _read_versions(plane) == {"v1.36.4"}


async def _read_versions(plane: Kubernetes) -> set[str]:
    """Read the versions of kubelets and of the control plane's components."""
    nodes = await plane.client.list("v1", "Node")
    pods = await plane.client.list("v1", "Pod", "kube-system")
    images = [
        text(container, "image")
        for pod in pods
        if dig(pod, "metadata", "labels", "tier") == "control-plane"
        for container in maps(pod, "spec", "containers")
    ]
    kubelets = {text(node, "status", "nodeInfo", "kubeletVersion") for node in nodes}
    return kubelets | {image.rpartition(":")[2] for image in images}


@pytest.mark.row("reboot --drain")
async def test_a_budget_blocks_the_drain(
    kubernetes: tuple[World, Kubernetes], talosctl: Talosctl
) -> None:
    """A pod that may not go ends the drain in time: nothing reboots, the node stays cordoned."""
    world, plane = kubernetes
    write_talosconfig(talosctl, world.cluster, address_of(world, "cp1"))
    await guard_web(plane)
    (pod,) = await list_web(plane)
    before = world.machines["w1"].boot.id

    result = await talosctl.run(
        "reboot", "--drain", "--drain-timeout", "2s", "-n", NODES["w1"], "--timeout", "40s"
    )

    assert result.code == 1
    draining = 'error draining node "w1"'
    if talosctl.asks_each:
        draining = f'error draining nodes: {draining}: failed to drain node "w1"'
    assert result.error.splitlines()[-1].startswith(
        f'{draining}: error when evicting pods/"{name_of(pod)}" -n "default": '
    )
    assert world.machines["w1"].boot.id == before
    assert await is_cordoned(plane, "w1")

"""Bootstrap manifests: what machines list, and what the last act of upgrade-k8s makes of it."""

from __future__ import annotations

import pytest

from lab.kubernetes import Kubernetes
from lab.kubernetes.values import Object, at
from lab.manifests import INVENTORY
from tests.lab_machines.lab_machines_world import World
from tests.talos_rows.talos_rows_tool import (
    NODES,
    Talosctl,
    address_of,
    find_columns,
    write_talosconfig,
)

pytestmark = pytest.mark.tools

_SYNC = (
    "upgrade-k8s",
    *("--from", "1.36.3", "--to", "1.36.3", "--pre-pull-images=false", "--upgrade-kubelet=false"),
    *("--with-docs=false", "--with-examples=false"),
)
_IDS = [
    "00-kubelet-bootstrapping-token",
    "01-csr-approver-role-binding",
    "01-csr-node-bootstrap",
    "01-csr-renewal-role-binding",
    "05-flannel",
    "10-kube-proxy",
    "11-core-dns",
    "11-core-dns-svc",
    "11-kube-config-in-cluster",
    "11-talos-node-rbac-template",
]


@pytest.mark.row("get manifests")
async def test_bootstrap_manifests_are_listed(
    kubernetes: tuple[World, Kubernetes], talosctl: Talosctl
) -> None:
    """Those of Talos' defaults, on control planes only, and that all of them were created."""
    world, _ = kubernetes
    write_talosconfig(talosctl, world.cluster, address_of(world, "cp1"))

    listed = await talosctl.run("get", "manifests", "-n", NODES["cp1"])
    worker = await talosctl.run("get", "manifests", "-n", NODES["w1"])
    shown = await talosctl.run(
        "get", "manifests", "11-talos-node-rbac-template", "-o", "yaml", "-n", NODES["cp1"]
    )
    applied = await talosctl.run("get", "manifeststatus", "-o", "yaml", "-n", NODES["cp1"])

    assert listed.code == 0, listed.stderr
    assert [name for (name,) in find_columns(listed, "ID")] == _IDS
    assert (worker.code, len(worker.rows)) == (0, 1)
    assert "        name: system:talos-nodes" in shown.stdout.splitlines()
    assert applied.stdout.endswith("".join(f"        - {name}\n" for name in _IDS))


@pytest.mark.row("upgrade-k8s")
async def test_manifests_are_synchronized(
    kubernetes: tuple[World, Kubernetes], talosctl: Talosctl
) -> None:
    """What is gone is created, what differs configured, what is no manifest any more deleted."""
    world, plane = kubernetes
    write_talosconfig(talosctl, world.cluster, address_of(world, "cp1"))
    where = ("kube-system", INVENTORY)
    before = await _spoil(plane)

    dry = await talosctl.run(*_SYNC, "--dry-run", "-n", NODES["cp1"])
    kept = await plane.client.get("v1", "ConfigMap", where[1], where[0])
    done = await talosctl.run(*_SYNC, "-n", NODES["cp1"])
    again = await talosctl.run(*_SYNC, "-n", NODES["cp1"])

    after = await plane.client.get("v1", "ConfigMap", where[1], where[0])
    assert dry.code == 0, dry.stderr
    assert {
        " < Pruned ConfigMap/kube-system/old",
        " < configured Service/kube-system/kube-dns",
        " < created ConfigMap/kube-system/coredns",
        " < unchanged Deployment/kube-system/coredns",
        " < unchanged Secret/kube-system/bootstrap-token-lab123",
    } <= {*dry.stdout.splitlines()}
    assert at(kept, "data") == before
    assert done.code == 0, done.stderr
    said = done.stdout.splitlines()
    assert {
        " < deleted ConfigMap/kube-system/old",
        " < configured Service/kube-system/kube-dns",
        "-    prometheus.io/scrape: mine",
        " < created ConfigMap/kube-system/coredns",
        " > skipped Deployment/kube-system/coredns: no changes",
    } <= {*said}
    assert said[-2:] == ["waiting for kubernetes objects to be fully reconciled", "done"]
    assert set(before) - set(at(after, "data")) == {"kube-system_old__ConfigMap"}
    assert (again.code, " < " in again.stdout.partition("updating manifests")[2]) == (0, False)


async def _spoil(plane: Kubernetes) -> Object:
    """Delete a manifest's object, change another, and own one that is none; the inventory then."""
    client = plane.client
    old: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "old", "namespace": "kube-system"},
    }
    mine: Object = {"metadata": {"annotations": {"prometheus.io/scrape": "mine"}}}
    owned: Object = {"data": {"kube-system_old__ConfigMap": ""}}
    await client.delete("v1", "ConfigMap", "coredns", "kube-system")
    await client.create(old)
    await client.patch("v1", "Service", "kube-dns", "kube-system", body=mine)
    inventory = await client.patch("v1", "ConfigMap", INVENTORY, "kube-system", body=owned)
    return at(inventory, "data")

"""Manifests of the machine config in the lab's Kubernetes: written ones, and those named by URL."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest

from lab.kubernetes.values import at, maps, text
from lab.manifests import INVENTORY, OWNER_MARK
from lab.ports import NodeFacts, TalosManifests
from tests.lab_kubernetes.lab_kubernetes_cluster import CONTROL_PLANE, Cluster, cni, condition

RAW = "https://raw.githubusercontent.com"
INLINE = """
apiVersion: example.org/v1
kind: Thing
metadata: {name: first, namespace: early}
---
apiVersion: v1
kind: Namespace
metadata: {name: early}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.org}
spec:
  group: example.org
  scope: Namespaced
  names: {kind: Thing, plural: things, singular: thing}
  versions:
    - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
"""


async def begin(
    empty: Cluster, manifests: TalosManifests, *, is_external: bool = False
) -> NodeFacts:
    """Begin anew with a control plane whose machine config brings these manifests."""
    facts = replace(CONTROL_PLANE, manifests=manifests, has_external_cloud=is_external)
    await empty.plane.stop_apiserver(facts.name)
    await empty.plane.create(empty.pki)
    await empty.plane.start_apiserver(facts)
    return facts


async def test_inline_manifests_are_created_when_they_can_be(empty: Cluster) -> None:
    """Also what stands before its namespace and its kind; without a namespace, in `default`."""
    await begin(empty, TalosManifests(inline=(("all", INLINE),)))
    thing = empty.see("example.org/v1", "Thing", "first", "early")
    await empty.see(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", "things.example.org"
    ).until(lambda obj: condition(obj, "Established") == "True")
    found = await thing.until(lambda _: True)
    settings = await empty.client.find("v1", "ConfigMap", "settings", "default")

    assert "early" == text(found, "metadata", "namespace")
    assert settings is not None


async def test_the_cloud_manager_comes_by_its_url(empty: Cluster) -> None:
    """Before anybody applies anything it initializes the node, once the network is there."""
    path = "siderolabs/talos-cloud-controller-manager/main/docs/deploy"
    urls = (f"{RAW}/{path}/cloud-controller-manager.yml",)
    manifests = TalosManifests(cloud_urls=urls, has_talos_api=True)
    facts = await begin(empty, manifests, is_external=True)
    await empty.plane.start_kubelet(facts)
    await empty.client.apply(cni(), manager="m")
    node = await empty.see("v1", "Node", facts.name).until(
        lambda obj: bool(text(obj, "spec", "providerID"))
    )

    assert "uninitialized" not in str(at(node, "spec"))


async def test_the_cloud_manager_needs_the_talos_api(empty: Cluster) -> None:
    """Where the machine config allows no access, its Secret is never made, and its pod waits."""
    path = "siderolabs/talos-cloud-controller-manager/main/docs/deploy"
    urls = (f"{RAW}/{path}/cloud-controller-manager.yml",)
    facts = await begin(empty, TalosManifests(cloud_urls=urls), is_external=True)
    await empty.plane.start_kubelet(facts)
    await empty.client.apply(cni(), manager="m")
    async with asyncio.timeout(20):
        async for event in empty.client.watch("v1", "Event"):
            if text(event.object, "reason") == "FailedMount":
                break
    node = await empty.client.find("v1", "Node", facts.name)

    assert node is not None
    assert "uninitialized" in str(at(node, "spec"))


async def test_the_cert_approver_comes_by_its_url(empty: Cluster) -> None:
    """In its own namespace."""
    name = "kubelet-serving-cert-approver"
    urls = (f"{RAW}/alex1989hu/{name}/main/deploy/standalone-install.yaml",)
    await begin(empty, TalosManifests(urls=urls))
    found = await empty.see("apps/v1", "Deployment", name, name).until(lambda _: True)

    assert f"ghcr.io/alex1989hu/{name}:main" in str(at(found, "spec"))


async def test_other_urls_are_said_to_be_left_away(
    empty: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    """The lab fetches nothing; broken YAML is said, too."""
    with caplog.at_level(logging.WARNING):
        urls = (f"{RAW}/x/y/components.yaml",)
        await begin(empty, TalosManifests((("broken", "a: ["),), urls))
        await empty.see("v1", "ConfigMap", INVENTORY, "kube-system").until(bool)

    assert f"not fetched in the lab: {RAW}/x/y/components.yaml" in caplog.text
    assert "is no YAML" in caplog.text


async def test_what_was_created_is_in_the_inventory(empty: Cluster) -> None:
    """With Talos' annotation; what is deleted afterwards is not created again, what is new is."""
    await empty.plane.stop_apiserver(CONTROL_PLANE.name)
    await empty.plane.start_apiserver(CONTROL_PLANE)
    inventory = empty.see("v1", "ConfigMap", INVENTORY, "kube-system")
    kept = await inventory.until(
        lambda obj: "kube-system_coredns_apps_Deployment" in at(obj, "data")
    )
    dns = await empty.client.get("apps/v1", "Deployment", "coredns", "kube-system")
    await empty.client.delete("v1", "ConfigMap", "coredns", "kube-system")
    more = TalosManifests((("more", "{apiVersion: v1, kind: Namespace, metadata: {name: more}}"),))
    await empty.plane.start_kubelet(replace(CONTROL_PLANE, manifests=more))
    await empty.see("v1", "Namespace", "more").until(bool)

    assert text(dns, "metadata", "annotations", OWNER_MARK) == INVENTORY
    assert text(maps(dns, "metadata", "managedFields")[0], "manager") == "talos"
    assert "_system__coredns_rbac.authorization.k8s.io_ClusterRole" in at(kept, "data")
    assert await empty.client.find("v1", "ConfigMap", "coredns", "kube-system") is None
    await inventory.until(lambda obj: "_more__Namespace" in at(obj, "data"))
    assert "99-more" in empty.plane.list_applied_manifests(CONTROL_PLANE.name)

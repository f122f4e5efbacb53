"""Pods and what they wait for: images, configuration, volumes; what runs them."""

from __future__ import annotations

import pytest

from lab.kubernetes.controllers.bootstrap import make_open_crd
from lab.kubernetes.values import Object, at, dig, grow, maps, name_of, text
from tests.lab_kubernetes.lab_kubernetes_cluster import Cluster, condition, crd, deployment

_POLICIES = "ciliuml2announcementpolicies.cilium.io"


def pod_spec(obj: Object) -> Object:
    """The pod spec inside a workload."""
    return grow(obj, "spec", "template", "spec")


async def test_deployments_report_their_pods(ready: Cluster) -> None:
    """A Deployment ends Available with observedGeneration, and rolls to a new template."""
    await ready.client.apply(deployment("web"), manager="m")
    web = ready.see("apps/v1", "Deployment", "web", "default")
    first = await web.until(lambda obj: dig(obj, "status", "readyReplicas") == 1)
    await ready.client.apply(deployment("web", image="x:2"), manager="m")
    second = await web.until(
        lambda obj: (
            dig(obj, "status", "observedGeneration") == 2
            and dig(obj, "status", "updatedReplicas") == 1
            and dig(obj, "status", "replicas") == 1
            and dig(obj, "status", "readyReplicas") == 1
        )
    )
    pods = await ready.client.list("v1", "Pod", "default", labels="app=web")
    images = {_image(pod) for pod in pods}

    assert "True" == condition(first, "Available") == condition(second, "Available")
    assert "x:2" in images


def _image(pod: Object) -> str:
    return text(maps(pod, "spec", "containers")[0], "image")


async def test_pods_need_a_network(cluster: Cluster) -> None:
    """Without a CNI ordinary pods stay unscheduled, and say which taint keeps them."""
    pod = await _first_pod(cluster, "kube-system", "k8s-app=kube-dns")
    events = await cluster.client.list("v1", "Event", "kube-system")

    assert "False" == condition(pod, "PodScheduled")
    assert any("node.kubernetes.io/not-ready" in text(event, "message") for event in events)


async def _first_pod(cluster: Cluster, namespace: str, labels: str) -> Object:
    async for event in cluster.client.watch("v1", "Pod", namespace, labels=labels):
        if condition(event.object, "PodScheduled"):
            return event.object
    raise AssertionError(labels)


async def test_missing_configuration_blocks(ready: Cluster) -> None:
    """A pod whose environment names a missing Secret waits with the kubelet's reason."""
    web = deployment("web")
    maps(pod_spec(web), "containers")[0]["envFrom"] = [{"secretRef": {"name": "keys"}}]
    await ready.client.apply(web, manager="m")
    reasons: set[str] = set()
    async for event in ready.client.watch("v1", "Pod", "default", labels="app=web"):
        for status in maps(event.object, "status", "containerStatuses"):
            reasons.add(text(status, "state", "waiting", "reason"))
        if "CreateContainerConfigError" in reasons:
            break
    secret: Object = {"name": "keys", "namespace": "default"}
    await ready.client.create({"apiVersion": "v1", "kind": "Secret", "metadata": secret})
    done = await ready.see("apps/v1", "Deployment", "web", "default").until(
        lambda obj: dig(obj, "status", "readyReplicas") == 1
    )

    assert "True" == condition(done, "Available")


async def test_jobs_finish(ready: Cluster) -> None:
    """A Job runs its pod once and completes."""
    job = deployment("once")
    job["apiVersion"], job["kind"] = "batch/v1", "Job"
    pod_spec(job)["restartPolicy"] = "Never"
    await ready.client.create(job)
    done = await ready.see("batch/v1", "Job", "once", "default").until(
        lambda obj: condition(obj, "Complete") == "True"
    )

    assert 1 == dig(done, "status", "succeeded")


async def test_daemonsets_run_everywhere(ready: Cluster) -> None:
    """The CNI's DaemonSet counts a pod for each node."""
    cilium = await ready.client.get("apps/v1", "DaemonSet", "cilium", "kube-system")

    assert 2 == dig(cilium, "status", "desiredNumberScheduled")
    assert 2 == dig(cilium, "status", "numberReady")


async def _install_metallb(cluster: Cluster, *addresses: str) -> None:
    space: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "metallb"}}
    await cluster.client.apply(space, manager="m")
    definition = crd("ipaddresspools", "IPAddressPool", "metallb.io")
    await cluster.client.apply(definition, manager="m")
    name = "ipaddresspools.metallb.io"
    await cluster.see("apiextensions.k8s.io/v1", "CustomResourceDefinition", name).until(
        lambda obj: condition(obj, "Established") == "True"
    )
    await cluster.client.apply(
        {
            "apiVersion": "metallb.io/v1beta1",
            "kind": "IPAddressPool",
            "metadata": {"name": "main", "namespace": "metallb"},
            "spec": {"addresses": [*addresses]},
        },
        manager="m",
    )
    await cluster.client.apply(deployment("metallb-controller", "metallb"), manager="m")


def _balanced(name: str, address: str = "") -> Object:
    spec: Object = {
        "type": "LoadBalancer",
        "selector": {"app": name},
        "ports": [{"port": 80}],
    }
    if address:
        spec["loadBalancerIP"] = address
    metadata: Object = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def _addresses(service: Object) -> list[str]:
    return [text(item, "ip") for item in maps(service, "status", "loadBalancer", "ingress")]


async def test_load_balancers_get_addresses(ready: Cluster) -> None:
    """MetalLB gives the asked address, and to others the first that nobody asked for."""
    await ready.client.apply(_balanced("any"), manager="m")
    await ready.client.apply(_balanced("asked", "10.42.0.100"), manager="m")
    await _install_metallb(ready, "10.42.0.100-10.42.0.101")
    found = {
        name: _addresses(await ready.see("v1", "Service", name, "default").until(_has_address))
        for name in ("any", "asked")
    }

    assert {"any": ["10.42.0.101"], "asked": ["10.42.0.100"]} == found


def _has_address(service: Object) -> bool:
    return bool(_addresses(service))


async def test_services_know_their_ready_pods(ready: Cluster) -> None:
    """A Service gets a ClusterIP and an EndpointSlice with its ready pods."""
    service = _balanced("web")
    grow(service, "spec")["type"] = "ClusterIP"
    await ready.client.apply(service, manager="m")
    await ready.client.apply(deployment("web"), manager="m")
    label = "kubernetes.io/service-name=web"
    seen: list[Object] = []
    async for event in ready.client.watch("discovery.k8s.io/v1", "EndpointSlice", labels=label):
        seen = maps(event.object, "endpoints")
        if any(dig(item, "conditions", "ready") for item in seen):
            break
    service = await ready.client.get("v1", "Service", "web", "default")

    assert text(service, "spec", "clusterIP").startswith("10.96.")
    assert "Pod" == text(seen[0], "targetRef", "kind")


async def test_pods_end_when_their_owner_goes(ready: Cluster) -> None:
    """Deleting a Deployment takes ReplicaSet and pods along, after the time to stop."""
    await ready.client.apply(deployment("web"), manager="m")
    await ready.see("apps/v1", "Deployment", "web", "default").until(
        lambda obj: dig(obj, "status", "readyReplicas") == 1
    )
    pods = await ready.client.list("v1", "Pod", "default", labels="app=web")
    await ready.client.delete("apps/v1", "Deployment", "web", "default")
    await ready.see("v1", "Pod", name_of(pods[0]), "default").until_gone()

    assert [] == await ready.client.list("apps/v1", "ReplicaSet", "default")


async def test_images_may_be_missing(ready: Cluster) -> None:
    """A fault keeps pods in ImagePullBackOff."""
    ready.plane.set_fault("broken:", "unpullable")
    await ready.client.apply(deployment("web", image="broken:1"), manager="m")
    statuses: list[Object] = []
    async for event in ready.client.watch("v1", "Pod", "default", labels="app=web"):
        statuses = maps(event.object, "status", "containerStatuses")
        if statuses:
            break

    assert "ImagePullBackOff" == text(at(statuses[0], "state", "waiting"), "reason")


@pytest.mark.parametrize(("target", "fault"), [("x:1", "unpullable"), ("default/web", "crashing")])
async def test_pods_begin_anew_when_their_fault_is_over(
    ready: Cluster, target: str, fault: str
) -> None:
    """As kubelet tries again, a pod becomes Ready once nothing is wrong any more."""
    ready.plane.set_fault(target, fault)
    await ready.client.apply(deployment("web"), manager="m")
    async for event in ready.client.watch("v1", "Pod", "default", labels="app=web"):
        if dig(event.object, "status", "containerStatuses"):
            break
    ready.plane.set_fault(target, fault, on=False)
    deployed = await ready.see("apps/v1", "Deployment", "web", "default").until(
        lambda obj: dig(obj, "status", "readyReplicas") == 1
    )

    assert 1 == dig(deployed, "status", "availableReplicas")


async def test_operators_bring_what_others_wait_for(ready: Cluster) -> None:
    """Cilium's operator registers its own kinds; Talos gives its accounts a Secret each."""
    operator = deployment("cilium-operator", image="quay.io/cilium/operator-generic:v1.19.1")
    await ready.client.apply(operator, manager="m")
    crds = ready.see("apiextensions.k8s.io/v1", "CustomResourceDefinition", _POLICIES)
    policies = await crds.until(lambda obj: condition(obj, "Established") == "True")
    await ready.client.apply(
        make_open_crd("talos.dev", ["v1alpha1"], "ServiceAccount", "serviceaccounts"), manager="m"
    )
    account: Object = {
        "apiVersion": "talos.dev/v1alpha1",
        "kind": "ServiceAccount",
        "metadata": {"name": "tuppr-talosconfig", "namespace": "default"},
        "spec": {"roles": ["os:admin"]},
    }
    accounts = ready.see(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", "serviceaccounts.talos.dev"
    )
    await accounts.until(lambda obj: condition(obj, "Established") == "True")
    await ready.client.create(account)
    secret = await ready.see("v1", "Secret", "tuppr-talosconfig", "default").until(
        lambda obj: "config" in at(obj, "data")
    )

    assert "Cluster" == text(policies, "spec", "scope")
    assert ["ServiceAccount"] == [
        text(owner, "kind") for owner in maps(secret, "metadata", "ownerReferences")
    ]

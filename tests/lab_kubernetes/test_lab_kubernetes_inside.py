"""What becomes of a cluster whose own controllers and kubelets meet an API that fails."""

from __future__ import annotations

import asyncio

import pytest

from lab.kubernetes.ailing import ApiFault
from lab.kubernetes.controllers.world import find_condition
from lab.kubernetes.errors import ApiError
from lab.kubernetes.values import Object, maps, number, text
from tests.lab_kubernetes.lab_kubernetes_cluster import (
    CONTROL_PLANE,
    Cluster,
    condition,
    deployment,
)

SPACE: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}}
SETTINGS: Object = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "prices", "namespace": "web"},
}
APPS = "apps/v1"


async def let_pass(cluster: Cluster, seconds: float) -> None:
    """Let simulated time pass."""
    await cluster.plane._clock.pause(seconds)


async def has_replica_set(cluster: Cluster) -> bool:
    """Tell whether kube-controller-manager acted on the Deployment."""
    return bool(await cluster.client.list(APPS, "ReplicaSet", "default"))


async def test_namespace_waits_for_the_whole_of_discovery(empty: Cluster) -> None:
    """What is known to be in it goes; the namespace says what keeps it, and goes at the end."""
    for obj in (SPACE, SETTINGS):
        await empty.client.create(obj)
    empty.plane.set_fault("", ApiFault.AGGREGATED_DOWN)
    await empty.client.delete("v1", "Namespace", "web")
    kind = "NamespaceDeletionDiscoveryFailure"
    space = await empty.see("v1", "Namespace", "web").until(
        lambda obj: bool(find_condition(obj, kind))
    )
    said = find_condition(space, kind)
    content = await empty.client.find("v1", "ConfigMap", "prices", "web")
    empty.plane.set_fault("", ApiFault.AGGREGATED_DOWN, on=False)
    await empty.see("v1", "Namespace", "web").until_gone()

    assert ("True", "DiscoveryFailed") == (text(said, "status"), text(said, "reason"))
    assert text(said, "message") == (
        "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of"
        " server APIs: metrics.k8s.io/v1beta1: stale GroupVersion discovery:"
        " metrics.k8s.io/v1beta1"
    )
    assert content is None


async def test_namespace_tells_what_holds_its_content(empty: Cluster) -> None:
    """All five conditions are there, in a real controller's words."""
    held: Object = {"name": "prices", "namespace": "web", "finalizers": ["example.org/hold"]}
    for obj in (SPACE, {**SETTINGS, "metadata": held}):
        await empty.client.create(obj)
    await empty.client.delete("v1", "Namespace", "web")
    space = await empty.see("v1", "Namespace", "web").until(
        lambda obj: bool(maps(obj, "status", "conditions"))
    )
    told = {
        text(item, "type"): (text(item, "status"), text(item, "message"))
        for item in maps(space, "status", "conditions")
    }

    assert 5 == len(told)
    status, message = told["NamespaceFinalizersRemaining"]
    assert ("True", "example.org/hold in 1 resource instances") == (status, message[-40:])
    assert told["NamespaceContentRemaining"] == (
        "True",
        "Some resources are remaining: configmaps. has 1 resource instances",
    )
    assert "False" == told["NamespaceDeletionDiscoveryFailure"][0]


@pytest.mark.parametrize("fault", [ApiFault.CACHE_COLD, ApiFault.ETCD_TIMEOUT])
async def test_nothing_is_seen_or_done_meanwhile(empty: Cluster, fault: ApiFault) -> None:
    """A Deployment that somebody brings in is left alone until the API is well again."""
    empty.plane.set_fault("", fault)
    await empty.client.create(deployment("web"))
    await let_pass(empty, 60.0)
    meanwhile = await has_replica_set(empty)
    empty.plane.set_fault("", fault, on=False)
    async for _ in empty.client.watch(APPS, "ReplicaSet", "default"):
        break

    assert meanwhile is False
    assert await has_replica_set(empty)


async def test_throttled_workloads_give_up_where_managers_go_on(empty: Cluster) -> None:
    """Priority and fairness: Flux is refused after ten tries, kube-controller-manager is not."""
    empty.plane.set_fault("", ApiFault.THROTTLED)
    begun_s = empty.plane._clock.elapsed_s()
    with pytest.raises(ApiError, match="Too many requests") as caught:
        await empty.plane.inner.apply(SPACE, manager="flux")
    took_s = empty.plane._clock.elapsed_s() - begun_s
    await empty.client.create(deployment("web"))
    async for _ in empty.client.watch(APPS, "ReplicaSet", "default"):
        break

    assert (429, "TooManyRequests") == (caught.value.code, caught.value.reason)
    assert took_s >= 10.0


async def test_slow_answers_delay_each_controller(empty: Cluster) -> None:
    """A second a step: Deployment to ReplicaSet, ReplicaSet to pod."""
    empty.plane.set_fault("", ApiFault.SLOW)
    begun_s = empty.plane._clock.elapsed_s()
    await empty.client.create(deployment("web"))
    async for _ in empty.client.watch("v1", "Pod", "default"):
        break

    assert empty.plane._clock.elapsed_s() - begun_s >= 2.0


async def test_controllers_that_lose_their_lease_end(cluster: Cluster) -> None:
    """Their pods tell of it; what was asked meanwhile is done by those that come after them."""
    name = f"kube-controller-manager-{CONTROL_PLANE.name}"
    manager = cluster.see("v1", "Pod", name, "kube-system")
    await manager.until(lambda obj: condition(obj, "Ready") == "True")
    cluster.plane.set_fault("", ApiFault.ETCD_TIMEOUT)
    await let_pass(cluster, 60.0)
    cluster.plane.set_fault("", ApiFault.ETCD_TIMEOUT, on=False)
    begun_s = cluster.plane._clock.elapsed_s()
    await cluster.client.create(deployment("web"))
    async for _ in cluster.client.watch(APPS, "ReplicaSet", "default"):
        break
    took_s = cluster.plane._clock.elapsed_s() - begun_s

    def ended(obj: Object) -> bool:
        return any(number(one, "restartCount") for one in maps(obj, "status", "containerStatuses"))

    pod = await manager.until(ended)
    (container,) = maps(pod, "status", "containerStatuses")
    assert took_s >= 15.0
    assert "Error" == text(container, "lastState", "terminated", "reason")


async def test_fault_of_one_of_two_servers_leaves_the_cluster_well(empty: Cluster) -> None:
    """Clients inside find the server that is well."""
    empty.plane.set_fault("cp-2", ApiFault.ETCD_TIMEOUT)
    await empty.client.create(deployment("web"))
    async with asyncio.timeout(5):
        async for _ in empty.client.watch(APPS, "ReplicaSet", "default"):
            break

    assert await has_replica_set(empty)

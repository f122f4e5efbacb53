"""A node that Talos cordons and drains by a real API server, and uncordons."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from lab.kubernetes.values import Object, dig, number, text
from lab.ports import PodOnNode
from tests.lab_kubernetes.lab_kubernetes_cluster import Cluster
from tests.lab_kubernetes.lab_kubernetes_longhorn import (
    LONGHORN_SPACE,
    cordon,
    find_manager,
    install_longhorn,
    set_policy,
    use_volume,
)

__all__ = ["Drained", "drain_longhorn", "drain_node"]

_BUDGET: Object = {
    "apiVersion": "policy/v1",
    "kind": "PodDisruptionBudget",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
}


@dataclass(frozen=True, slots=True)
class Drained:
    """What was seen of it."""

    cordoned: tuple[object, str]  # `unschedulable`, and Talos' annotation
    held: bool  # whether the budget let the pod go
    evicted: bool
    is_gone: bool
    uncordoned: tuple[object, str]


async def drain_node(cluster: Cluster, node: str, pod: Object) -> Drained:
    """Cordon a node, evict a pod that a budget holds at first, uncordon."""
    keeper, client = cluster.plane.keeper, cluster.client
    await client.create(_BUDGET)
    budget = cluster.see("policy/v1", "PodDisruptionBudget", "web", "default")
    await budget.until(lambda obj: number(obj, "status", "currentHealthy") == 1)
    await keeper.cordon(node)
    cordoned = await _look(cluster, node)
    uid = text(pod, "metadata", "uid")
    (found,) = [item for item in await keeper.list_evictable(node) if item.uid == uid]
    held = await keeper.evict(found)
    await client.delete("policy/v1", "PodDisruptionBudget", "web", "default")
    evicted = await keeper.evict(found)
    is_gone = await _wait_gone(cluster, found)
    await keeper.uncordon(node)
    return Drained(cordoned, held, evicted, is_gone, await _look(cluster, node))


async def drain_longhorn(cluster: Cluster, node: str) -> tuple[bool, bool]:
    """Evict Longhorn's instance manager from beside the last replica, and once it may go."""
    client, keeper = cluster.client, cluster.plane.keeper
    tainted: Object = {"spec": {"taints": None}}
    await client.patch("v1", "Node", node, body=tainted)
    await install_longhorn(cluster, replicas=1)
    await use_volume(cluster)
    await cordon(cluster, node)
    manager = await find_manager(cluster, node)
    held = await keeper.evict(manager)
    await set_policy(cluster, "always-allow")
    await client.delete("apps/v1", "StatefulSet", "db", "default")
    await cluster.see("v1", "Pod", "db-0", "default").until_gone()
    budget = cluster.see("policy/v1", "PodDisruptionBudget", manager.name, LONGHORN_SPACE)
    await budget.until_gone()
    evicted = await keeper.evict(manager)
    await keeper.uncordon(node)
    return held, evicted


async def _look(cluster: Cluster, node: str) -> tuple[object, str]:
    found = await cluster.client.get("v1", "Node", node)
    marked = text(found, "metadata", "annotations", "talos.dev/cordoned")
    return dig(found, "spec", "unschedulable"), marked


async def _wait_gone(cluster: Cluster, pod: PodOnNode) -> bool:
    async with asyncio.timeout(20):
        while await cluster.plane.keeper.has_pod(pod):  # noqa: ASYNC110 # as a drain does
            await asyncio.sleep(0.05)
    return True

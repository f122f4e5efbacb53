"""Nodes, their network and their certificates."""

from __future__ import annotations

import asyncio

from lab.kubernetes.errors import UnavailableError
from lab.kubernetes.values import dig
from tests.lab_kubernetes.lab_kubernetes_cluster import Cluster, condition


async def test_nodes_wait_for_a_network(cluster: Cluster) -> None:
    """A registered node is NotReady, and says why, until a CNI runs there."""
    node = await cluster.client.get("v1", "Node", "worker-1")

    assert condition(node, "Ready") == "False"
    assert "cni plugin not initialized" in str(dig(node, "status", "conditions"))
    assert cluster.plane.is_node_ready("worker-1") is False


async def test_nodes_become_ready_with_a_cni(ready: Cluster) -> None:
    """A DaemonSet that is a CNI makes every node Ready and lets CoreDNS run."""
    coredns = ready.see("apps/v1", "Deployment", "coredns", "kube-system")
    await coredns.until(lambda obj: dig(obj, "status", "readyReplicas") == 2)

    assert ready.plane.is_node_ready("worker-1") is True


async def test_what_cannot_be_done_is_tried_again_once(cluster: Cluster) -> None:
    """A kubelet that wants its next request later, and cannot make this one, makes no two of it."""
    world, tries = cluster.plane._world, 0
    done = asyncio.Event()

    def ask() -> None:
        nonlocal tries
        tries += 1
        world.expire("ask", 1.0, ask)
        if tries < 8:
            raise UnavailableError("no API server is listening")
        done.set()

    world.expire("ask", 1.0, ask)
    async with asyncio.timeout(20):
        await done.wait()

    asking = [task for task in asyncio.all_tasks() if task.get_name().endswith(": ask")]
    going_on = [task for task in asking if not task.done() and not task.cancelling()]
    world.forget("ask")
    assert 1 == len(going_on)

"""Nodes, their network and their certificates."""

from __future__ import annotations

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

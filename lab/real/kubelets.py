"""Whom a real API server dials: the kubelets of nodes that the lab plays."""

from __future__ import annotations

from collections.abc import Iterator

from lab.kubernetes.controllers.world import World
from lab.kubernetes.values import Object, maps, name_of, text

__all__ = ["KUBELET_PORT", "find_node"]

KUBELET_PORT = "10250"


def find_node(world: World, address: str) -> str:
    """Return the node of an address; "" when it is none's."""
    for node in world.store.all("nodes"):
        if address in _addresses(node):
            return name_of(node)
    return ""


def _addresses(node: Object) -> Iterator[str]:
    return (text(item, "address") for item in maps(node, "status", "addresses"))

"""What a real API server hears when it dials a kubelet: of nodes that the lab plays.

A kubelet without an approved serving certificate ends each handshake; one that serves says that
there are no containers, which is all that the lab could show of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from lab.kubernetes.controllers.world import World
from lab.kubernetes.values import Object, maps, name_of, text

__all__ = ["KUBELET_PORT", "NO_CONTAINERS", "find_node", "is_serving"]

KUBELET_PORT = "10250"
NO_CONTAINERS = "the lab simulates pods: no container runs that could log or execute anything"
_CSRS = "certificatesigningrequests.certificates.k8s.io"


def find_node(world: World, address: str) -> str:
    """Return the node of an address; "" when it is none's."""
    for node in world.store.all("nodes"):
        if address in _addresses(node):
            return name_of(node)
    return ""


def is_serving(world: World, node: str) -> bool:
    """Tell whether a node's kubelet has its serving certificate."""
    user = f"system:node:{node}"
    return any(
        text(request, "spec", "username") == user and text(request, "status", "certificate")
        for request in world.store.all(_CSRS)
    )


def _addresses(node: Object) -> Iterator[str]:
    return (text(item, "address") for item in maps(node, "status", "addresses"))

"""Namespaces that live objects need and that no live manifest creates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from inventory.model import Inventory, Position

# Kubernetes makes these itself; Flux' own is there before it applies anything.
GIVEN_NAMESPACES: Final = frozenset(
    {"kube-system", "kube-public", "kube-node-lease", "default", "flux-system"}
)


def undeclared_namespaces(
    inventory: Inventory,
) -> Mapping[str, list[tuple[str, str, Position]]]:
    """Return (owner, object, position) of live objects by namespaces that nothing creates."""
    created = set(GIVEN_NAMESPACES)
    users: dict[str, list[tuple[str, str, Position]]] = defaultdict(list)
    for owner, item in inventory.objects():
        if item.kind == "Namespace" and not item.group:
            created.add(item.name)
        elif item.namespace:
            users[item.namespace].append((owner, str(item), item.position))
    return {name: users[name] for name in sorted(users) if name not in created}

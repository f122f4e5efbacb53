"""Which components a layer's gate waits for, and which upgrade controllers are held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inventory import Component, Inventory, Layer
from inventory.order import order_components

__all__ = [
    "LayerScope",
    "find_dependents",
    "find_held",
    "find_skipped",
    "find_upgraders",
    "scope_layers",
]

# Kinds by which an upgrade controller is told to change nodes.
_UPGRADE_KINDS = frozenset(
    {
        "upgrade.cattle.io/Plan",
        "tuppr.home-operations.com/TalosUpgrade",
        "tuppr.home-operations.com/KubernetesUpgrade",
    }
)


@dataclass(frozen=True, slots=True)
class LayerScope:
    """A layer, and the components whose readiness its gate asks for.

    That is its own ones without those that wait for a later layer, and those of earlier layers
    that had to wait for this one.
    """

    layer: Layer
    awaited: tuple[Component, ...]


def scope_layers(inventory: Inventory, skipped: frozenset[str]) -> tuple[LayerScope, ...]:
    """Return the layers in bootstrap order; nobody waits for components in `skipped`."""
    by_name = {component.name: component for component in inventory.components}
    scopes: list[LayerScope] = []
    placed: set[str] = set()
    for wave in order_components(inventory):
        names = [name for name in wave.components if name in by_name]
        placed |= set(names)
        scopes.append(_make_scope(wave.layer, [by_name[name] for name in names], skipped))
    rest = [c for c in inventory.components if c.name not in placed]
    if scopes and rest:
        # Components that other components apply belong to no layer: the last gate asks for them.
        last = scopes[-1]
        scopes[-1] = _make_scope(last.layer, [*last.awaited, *rest], skipped)
    return tuple(scopes)


def _make_scope(
    layer: Layer, components: Sequence[Component], skipped: frozenset[str]
) -> LayerScope:
    awaited = (c for c in components if c.name not in skipped and not c.suspend)
    return LayerScope(layer, tuple(awaited))


def find_upgraders(inventory: Inventory) -> tuple[Component, ...]:
    """Find components that tell an upgrade controller to change nodes: held until the end."""
    return tuple(
        component
        for component in inventory.components
        if any(item.group_kind in _UPGRADE_KINDS for item in component.objects)
    )


def find_held(inventory: Inventory) -> frozenset[str]:
    """Return the names of the components that stay suspended until the end of a run."""
    return frozenset(component.name for component in find_upgraders(inventory))


def find_skipped(inventory: Inventory, accepted: frozenset[str]) -> frozenset[str]:
    """Return what nobody waits for: components accepted as broken, and what needs them.

    `accepted` names components, or releases of them.
    """
    owners = {r.component for r in inventory.releases if r.name in accepted}
    return find_dependents(inventory.components, accepted | owners)


def find_dependents(components: Sequence[Component], names: frozenset[str]) -> frozenset[str]:
    """Return `names` and what declares to depend on one of them, directly or not."""
    found: set[str] = set(names)
    grew = True
    while grew:
        more = {
            component.name
            for component in components
            if component.name not in found and any(dep in found for _, dep in component.depends_on)
        }
        grew = bool(more)
        found |= more
    return frozenset(found)

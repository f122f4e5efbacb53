"""Layers: the directories that an entry lists, and their place in the bootstrap order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from inventory.model import Component, Layer, ObjectRef, Position
from inventory.resources import Resource
from inventory.tree import is_below

# What ClusterTool's own bootstrap order and the comparison repositories agree on. Names are not
# mandatory and others are ranked by what they need; the first known word of a name decides.
RANKS: Final[Mapping[str, int]] = {
    "flux-system": 0,
    "flux": 0,
    "kube-system": 10,
    "system": 20,
    "core": 30,
    "network": 40,
    "networking": 40,
}
UNKNOWN_RANK: Final = 50
APPS_RANK: Final = 90
_LAST = ("apps", "my-apps", "applications")


def rank_layer(name: str) -> int:
    """Return the rank of a layer by its name alone; `inventory.order` refines unknown ones."""
    if name in _LAST or name.endswith("-apps"):
        return APPS_RANK
    return RANKS.get(name, UNKNOWN_RANK)


def layer_of(top: str, entry_path: str) -> str:
    """Return the layer that a listed item belongs to: its first directory below the entry.

    A file beside the entry's kustomization belongs to no layer (empty).
    """
    if not is_below(top, entry_path):
        return top.rpartition("/")[2]
    relative = top if entry_path == "." else top[len(entry_path) + 1 :]
    first, _, rest = relative.partition("/")
    return first if rest or not first.endswith((".yaml", ".yml")) else ""


def build_layers(
    entry: str,
    entry_path: str,
    resources: Iterable[tuple[Resource, ObjectRef]],
    components: Iterable[Component],
    is_plain: Mapping[int, bool],
) -> list[Layer]:
    """Return the layers of one entry, in the order of its build.

    Args:
        entry: Name of the entry.
        entry_path: Its path.
        resources: What its build holds, with references.
        components: All components; those with a layer and this entry above them count.
        is_plain: By identity of the resource: whether it is neither Kustomization nor entry.
    """
    names: dict[str, Position] = {}
    objects: dict[str, list[ObjectRef]] = {}
    for resource, reference in resources:
        name = layer_of(resource.top, entry_path)
        if not name:
            continue
        names.setdefault(name, resource.position)
        if is_plain.get(id(resource)):
            objects.setdefault(name, []).append(reference)
    members: dict[str, list[str]] = {}
    for component in components:
        members.setdefault(component.layer, []).append(component.name)
    return [
        Layer(
            name=name,
            path=name if entry_path == "." else f"{entry_path}/{name}",
            rank=rank_layer(name),
            components=tuple(members.get(name, ())),
            objects=tuple(objects.get(name, ())),
            entry=entry,
            position=position,
        )
        for name, position in names.items()
    ]

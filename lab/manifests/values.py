"""Manifests as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["INVENTORY", "INVENTORY_NAMESPACE", "OWNER_MARK", "Json", "Manifest", "Object"]

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Object: TypeAlias = "dict[str, Json]"

# The ConfigMap in which Talos keeps what it has created, and the annotation that says so.
INVENTORY = "talos-bootstrap-manifests-inventory"
INVENTORY_NAMESPACE = "kube-system"
OWNER_MARK = "config.k8s.io/owning-inventory"


@dataclass(frozen=True, slots=True)
class Manifest:
    """One resource of `talosctl get manifests`; ids are in the order of creation."""

    id: str  # `11-core-dns`
    objects: tuple[Object, ...]  # not to be changed

"""The namespaces that something live is put into, as documents to apply."""

from __future__ import annotations

from inventory import Inventory
from lifecycle.drivers.documents import JsonObject

__all__ = ["find_namespaces"]


def find_namespaces(inventory: Inventory) -> list[JsonObject]:
    """Return declared namespaces as declared, then bare ones for those that nobody declares."""
    declared: dict[str, JsonObject] = {}
    used: set[str] = set()
    for _, item in inventory.objects():
        if item.kind == "Namespace":
            declared[item.name] = _make_namespace(_metadata_of(item.name, item.raw))
        elif item.namespace:
            used.add(item.namespace)
    used |= {component.target_namespace for component in inventory.components}
    used |= {release.target_namespace for release in inventory.releases}
    used -= {"", *declared}
    bare = (_make_namespace({"name": name}) for name in sorted(used))
    return [*declared.values(), *bare]


def _make_namespace(metadata: JsonObject) -> JsonObject:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _metadata_of(name: str, raw: JsonObject) -> JsonObject:
    metadata = raw.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    return {"name": name, "labels": labels} if isinstance(labels, dict) else {"name": name}

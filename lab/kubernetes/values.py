"""JSON values as Kubernetes objects carry them, and how to look into them without `Any`."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

__all__ = [
    "Json",
    "Object",
    "at",
    "clone",
    "clone_map",
    "dig",
    "grow",
    "is_going",
    "labels_of",
    "maps",
    "name_of",
    "namespace_of",
    "number",
    "reference_of",
    "text",
    "texts",
    "uid_of",
    "write_time",
]

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Object: TypeAlias = "dict[str, Json]"


def dig(value: Json, *path: str) -> Json:
    """Follow `path` through nested objects; None where it ends early."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def at(value: Json, *path: str) -> Object:
    """Follow `path` to an object; an empty one (not attached) where there is none."""
    found = dig(value, *path)
    return found if isinstance(found, dict) else {}


def maps(value: Json, *path: str) -> list[Object]:
    """Follow `path` to a list and keep its objects."""
    found = dig(value, *path)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def text(value: Json, *path: str) -> str:
    """Follow `path` to a string; "" where there is none."""
    found = dig(value, *path)
    return found if isinstance(found, str) else ""


def texts(value: Json, *path: str) -> list[str]:
    """Follow `path` to a list and keep its strings."""
    found = dig(value, *path)
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []


def number(value: Json, *path: str, default: int = 0) -> int:
    """Follow `path` to a whole number; `default` where there is none."""
    found = dig(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else default


def grow(value: Object, *path: str) -> Object:
    """Follow `path`, putting empty objects where something else or nothing stands."""
    for key in path:
        inner = value.get(key)
        if not isinstance(inner, dict):
            inner = {}
            value[key] = inner
        value = inner
    return value


def clone(value: Json) -> Json:
    """Copy a JSON value deeply (several times faster than `copy.deepcopy`)."""
    if isinstance(value, dict):
        return {key: clone(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clone(item) for item in value]
    return value


def clone_map(value: Object) -> Object:
    """Copy an object deeply."""
    return {key: clone(item) for key, item in value.items()}


def is_going(value: Object) -> bool:
    """Whether the object is being deleted."""
    return "deletionTimestamp" in at(value, "metadata")


def name_of(value: Object) -> str:
    """`metadata.name`."""
    return text(value, "metadata", "name")


def namespace_of(value: Object) -> str:
    """`metadata.namespace`, "" for cluster-scoped objects."""
    return text(value, "metadata", "namespace")


def uid_of(value: Object) -> str:
    """`metadata.uid`."""
    return text(value, "metadata", "uid")


def write_time(moment: datetime) -> str:
    """Write a time in UTC as Kubernetes does, in whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def labels_of(value: Object) -> dict[str, str]:
    """`metadata.labels` with text values only."""
    labels = at(value, "metadata", "labels")
    return {key: item for key, item in labels.items() if isinstance(item, str)}


def reference_of(value: Object, *, controller: bool = True) -> Object:
    """Build the owner reference that a child of `value` carries."""
    reference: Object = {
        "apiVersion": text(value, "apiVersion"),
        "kind": text(value, "kind"),
        "name": name_of(value),
        "uid": uid_of(value),
    }
    if controller:
        reference["controller"] = True
        reference["blockOwnerDeletion"] = True
    return reference

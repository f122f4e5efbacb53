"""Who owns which field: sets of paths, and the `FieldsV1` form of managedFields.

A path is a tuple such as `("f:spec", "f:containers", 'k:{"name":"x"}', "f:image")`. A set holds
the leaves, and an entry for each keyed item itself, so that giving up an item removes it whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from lab.kubernetes.lists import ATOMIC, ListRule, item_key
from lab.kubernetes.values import Json, Object, grow

__all__ = ["Path", "Paths", "find", "paths_of", "read_fields", "remove", "show", "write_fields"]

Path = tuple[str, ...]
Paths = frozenset[Path]

# Never owned by anybody: identity, and what the API server itself writes.
_UNOWNED = {"apiVersion", "kind"}
_UNOWNED_METADATA = {
    "creationTimestamp",
    "deletionTimestamp",
    "generateName",
    "generation",
    "managedFields",
    "name",
    "namespace",
    "resourceVersion",
    "selfLink",
    "uid",
}


def paths_of(obj: Object, rule: ListRule) -> Paths:
    """List every path that `obj` says something about."""
    found: set[Path] = set()
    for key, value in obj.items():
        if key in _UNOWNED:
            continue
        if key == "metadata" and isinstance(value, dict):
            for name, item in value.items():
                if name not in _UNOWNED_METADATA:
                    found.update(_walk((f"f:{key}", f"f:{name}"), (key, name), item, rule))
        else:
            found.update(_walk((f"f:{key}",), (key,), value, rule))
    return frozenset(found)


def _walk(path: Path, names: tuple[str, ...], value: Json, rule: ListRule) -> Iterator[Path]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _walk((*path, f"f:{key}"), (*names, key), item, rule)
    elif isinstance(value, list) and (keys := rule(names)) != ATOMIC:
        for item in value:
            inner = (*path, item_key(keys, item))
            yield inner
            if isinstance(item, dict):
                for key, part in item.items():
                    yield from _walk((*inner, f"f:{key}"), (*names, key), part, rule)
        if not value:
            yield path
    else:
        yield path


def write_fields(paths: Iterable[Path]) -> Object:
    """Write a set of paths as `FieldsV1`."""
    root: Object = {}
    for path in sorted(paths):
        leaf = grow(root, *path)
        if path[-1].startswith("k:"):
            leaf["."] = {}
    return root


def read_fields(fields: Object) -> Paths:
    """Read `FieldsV1` into a set of paths."""
    return frozenset(_read((), fields))


def _read(prefix: Path, fields: Object) -> Iterator[Path]:
    for key, inner in fields.items():
        if key == ".":
            yield prefix
        elif isinstance(inner, dict) and inner:
            yield from _read((*prefix, key), inner)
        else:
            yield (*prefix, key)


def show(path: Path) -> str:
    """Write a path as error messages do: `.spec.containers[name="x"].image`."""
    shown = ""
    for part in path:
        mark, _, rest = part.partition(":")
        if mark == "f":
            shown += f".{rest}"
        elif mark == "k":
            keys = json.loads(rest)
            shown += "[" + ",".join(f"{key}={json.dumps(keys[key])}" for key in keys) + "]"
        else:
            shown += f"[={rest}]"
    return shown


def find(obj: Json, path: Path, rule: ListRule, names: tuple[str, ...] = ()) -> Json:
    """Follow a path in an object; None where there is nothing."""
    for part in path:
        if part.startswith("f:"):
            if not isinstance(obj, dict):
                return None
            obj = obj.get(part[2:])
            names = (*names, part[2:])
        else:
            keys = rule(names)
            items = obj if isinstance(obj, list) else []
            obj = next((item for item in items if item_key(keys, item) == part), None)
    return obj


def remove(obj: Json, path: Path, rule: ListRule, names: tuple[str, ...] = ()) -> None:
    """Take what a path names out of an object, and containers that this leaves empty."""
    head, rest = path[0], path[1:]
    if head.startswith("f:") and isinstance(obj, dict):
        key = head[2:]
        if rest and key in obj:
            remove(obj[key], rest, rule, (*names, key))
            if obj[key] in ({}, []):
                del obj[key]
        elif not rest:
            obj.pop(key, None)
    elif isinstance(obj, list):
        keys = rule(names)
        for item in [item for item in obj if item_key(keys, item) == head]:
            if rest:
                remove(item, rest, rule, names)
            else:
                obj.remove(item)

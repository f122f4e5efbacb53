"""The patch formats that are no apply: merge (RFC 7386), JSON (RFC 6902) and strategic merge."""

from __future__ import annotations

from lab.kubernetes.errors import BadRequestError, InvalidError
from lab.kubernetes.lists import ATOMIC, SET, ListRule, item_key
from lab.kubernetes.values import Json, Object, clone, text

__all__ = ["patch_json", "patch_merge", "patch_strategic"]


def patch_merge(obj: Object, patch: Object) -> Object:
    """Merge `patch` into `obj`, in place: null removes, lists are replaced."""
    for key, value in patch.items():
        if value is None:
            obj.pop(key, None)
        elif isinstance(value, dict):
            below = obj.get(key)
            obj[key] = patch_merge(below if isinstance(below, dict) else {}, value)
        else:
            obj[key] = clone(value)
    return obj


def patch_json(obj: Object, operations: list[Object]) -> Object:
    """Run add, remove, replace, move, copy and test on `obj`, in place.

    Raises:
        InvalidError: a path does not exist, a test fails, or the operation is unknown.
    """
    for operation in operations:
        path = _pointer(text(operation, "path"))
        match text(operation, "op"):
            case "add":
                _add(obj, path, clone(operation.get("value")))
            case "replace":
                _replace(obj, path, clone(operation.get("value")))
            case "remove":
                _remove(obj, path)
            case "copy":
                _add(obj, path, clone(_find(obj, _pointer(text(operation, "from")))))
            case "move":
                source = _pointer(text(operation, "from"))
                value = _find(obj, source)
                _remove(obj, source)
                _add(obj, path, value)
            case "test":
                if _find(obj, path) != operation.get("value"):
                    raise _reject()
            case _:
                raise _reject()
    return obj


def patch_strategic(
    obj: Object, patch: Object, rule: ListRule, names: tuple[str, ...] = ()
) -> Object:
    """Merge `patch` into `obj`, in place: keyed lists by key, `$patch` directives honoured."""
    if patch.get("$patch") == "replace":
        obj.clear()
    for key, value in patch.items():
        if key.startswith("$"):
            _follow_directive(obj, key, value)
        elif value is None:
            obj.pop(key, None)
        elif isinstance(value, dict):
            below = obj.get(key)
            inner = below if isinstance(below, dict) else {}
            if value.get("$patch") == "delete":
                obj.pop(key, None)
            else:
                obj[key] = patch_strategic(inner, value, rule, (*names, key))
        elif isinstance(value, list):
            below = obj.get(key)
            inner_list = below if isinstance(below, list) else []
            obj[key] = _strategic_list(inner_list, value, rule, (*names, key))
        else:
            obj[key] = value
    return obj


def _follow_directive(obj: Object, key: str, value: Json) -> None:
    marker = "$deleteFromPrimitiveList/"
    field = key.removeprefix(marker)
    items = obj.get(field)
    if key.startswith(marker) and isinstance(items, list) and isinstance(value, list):
        obj[field] = [item for item in items if item not in value]


def _strategic_list(
    live: list[Json], patch: list[Json], rule: ListRule, names: tuple[str, ...]
) -> list[Json]:
    keys = rule(names)
    if keys == ATOMIC or any(
        isinstance(item, dict) and item.get("$patch") == "replace" for item in patch
    ):
        return [clone(item) for item in patch if not (isinstance(item, dict) and "$patch" in item)]
    if keys == SET:
        return live + [item for item in patch if item not in live]
    keys = keys[:1]  # strategic merge knows one key a list (patchMergeKey)
    here = {item_key(keys, item): item for item in live}
    for item in patch:
        key = item_key(keys, item)
        below = here.get(key)
        if isinstance(item, dict) and item.get("$patch") == "delete":
            here.pop(key, None)
        elif isinstance(item, dict) and isinstance(below, dict):
            patch_strategic(below, item, rule, names)
        else:
            here[key] = clone(item)
    return list(here.values())


def _pointer(path: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def _reject() -> InvalidError:
    # The real server says no more than this, whatever is wrong with the patch.
    return InvalidError(
        "the server rejected our request due to an error in our request", details={}
    )


def _find(value: Json, path: list[str]) -> Json:
    for part in path:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            raise _reject()
    return value


def _add(obj: Object, path: list[str], value: Json) -> None:
    if not path:
        raise BadRequestError("a patch cannot replace the whole object")
    parent, last = _find(obj, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list) and (last == "-" or last.isdigit()):
        parent.insert(len(parent) if last == "-" else int(last), value)
    else:
        raise _reject()


def _replace(obj: Object, path: list[str], value: Json) -> None:
    """Replace, or set what a map does not have yet: more than RFC 6902 allows, as the real one."""
    parent = _find(obj, path[:-1])
    if not isinstance(parent, dict):
        _remove(obj, path)
    _add(obj, path, value)


def _remove(obj: Object, path: list[str]) -> None:
    _find(obj, path)
    parent, last = _find(obj, path[:-1]), path[-1]
    if isinstance(parent, dict):
        del parent[last]
    elif isinstance(parent, list):
        del parent[int(last)]

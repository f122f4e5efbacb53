"""Look into plain JSON values without casts: every function accepts anything and never raises."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from inventory.model import Json, JsonObject

_EMPTY: JsonObject = {}


def get(value: Json, *keys: str) -> Json:
    """Return what lies under `keys`; None when a level is absent or not a mapping."""
    for key in keys:
        if not isinstance(value, dict):  # what the parser makes; much faster than Mapping
            return None
        value = value.get(key)
    return value


def get_at(value: Json, keys: Sequence[str | int]) -> Json:
    """Return what lies under keys that may be positions in a list; None when a level is absent."""
    for key in keys:
        if isinstance(key, int):
            value = value[key] if isinstance(value, list) and key < len(value) else None
        else:
            value = get(value, key)
    return value


def get_mapping(value: Json, *keys: str) -> JsonObject:
    """Return the mapping under `keys`; an empty one when there is none."""
    found = get(value, *keys)
    return found if isinstance(found, dict) else _EMPTY


def get_list(value: Json, *keys: str) -> Sequence[Json]:
    """Return the list under `keys`; an empty one when there is none."""
    found = get(value, *keys)
    return found if isinstance(found, list) else ()


def get_mappings(value: Json, *keys: str) -> tuple[JsonObject, ...]:
    """Return the mappings in the list under `keys`."""
    return tuple(item for item in get_list(value, *keys) if isinstance(item, dict))


def get_strings(value: Json, *keys: str) -> tuple[str, ...]:
    """Return the scalars in the list under `keys`, as text."""
    return tuple(as_text(item) for item in get_list(value, *keys) if is_scalar(item))


def get_text(value: Json, *keys: str, default: str = "") -> str:
    """Return the scalar under `keys` as text; `default` when there is none."""
    found = get(value, *keys)
    if isinstance(found, str):
        return found
    return as_text(found) if found is not None and is_scalar(found) else default


def get_flag(value: Json, *keys: str) -> bool:
    """Say whether the value under `keys` is true."""
    return get(value, *keys) is True


def get_int(value: Json, *keys: str, default: int = 0) -> int:
    """Return the whole number under `keys`; `default` when there is none."""
    found = get(value, *keys)
    return found if isinstance(found, int) and not isinstance(found, bool) else default


def children(value: Json) -> Iterable[tuple[str | int, Json]]:
    """Return what a mapping or a list holds, by key or place."""
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def find_texts(value: Json) -> Iterator[str]:
    """Yield every text in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from find_texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from find_texts(item)


def is_scalar(value: Json) -> bool:
    """Say whether the value is neither a list nor a mapping."""
    return value is None or isinstance(value, (str, int, float))


def as_text(value: Json) -> str:
    """Return a scalar as YAML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def group_of(value: Json) -> str:
    """Return the API group of an object; empty for the core group."""
    return get_text(value, "apiVersion").rpartition("/")[0]


def kind_of(value: Json) -> str:
    """Return the kind of an object."""
    return get_text(value, "kind")


def name_of(value: Json) -> str:
    """Return `metadata.name`."""
    return get_text(value, "metadata", "name")


def namespace_of(value: Json) -> str:
    """Return `metadata.namespace`; empty when absent."""
    return get_text(value, "metadata", "namespace")


def with_value(value: JsonObject, keys: Sequence[str], new: Json) -> dict[str, Json]:
    """Return a copy of `value` in which `keys` lead to `new`; mappings on the way are made."""
    copy = dict(value)
    first, rest = keys[0], keys[1:]
    copy[first] = with_value(get_mapping(copy, first), rest, new) if rest else new
    return copy

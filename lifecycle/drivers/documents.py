"""JSON-like documents with types: the one place where what a parser returned is narrowed.

A missing field and a field of another type read as the empty value of the wanted type: tools add
and drop fields between versions, and what matters is decided where the value is used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

__all__ = [
    "Json",
    "JsonObject",
    "as_object",
    "find",
    "flag_at",
    "list_at",
    "number_at",
    "object_at",
    "parse_json",
    "parse_json_stream",
    "text_at",
    "texts_at",
]

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
JsonObject = Mapping[str, Json]

_EMPTY: JsonObject = {}


def parse_json(text: str | bytes) -> Json:
    """Parse one JSON value; raises ValueError."""
    value: Json = json.loads(text)
    return value


def parse_json_stream(text: str) -> tuple[JsonObject, ...]:
    """Parse JSON objects that simply follow each other, as `talosctl get -o json` prints them.

    Raises:
        ValueError: Something between them is not JSON.
    """
    decoder = json.JSONDecoder()
    objects: list[JsonObject] = []
    position = 0
    text = text.strip()
    while position < len(text):
        value, position = decoder.raw_decode(text, position)
        objects.append(as_object(value))
        while position < len(text) and text[position].isspace():
            position += 1
    return tuple(objects)


def as_object(value: Json) -> JsonObject:
    """Return a mapping as it is, anything else as an empty one."""
    return value if isinstance(value, Mapping) else _EMPTY


def find(value: Json, *path: str) -> Json:
    """Walk down mappings by key; None where the path ends early."""
    for key in path:
        value = as_object(value).get(key)
    return value


def object_at(value: Json, *path: str) -> JsonObject:
    """Return the mapping at a path, or an empty one."""
    return as_object(find(value, *path))


def list_at(value: Json, *path: str) -> Sequence[Json]:
    """Return the list at a path, or an empty one."""
    found = find(value, *path)
    return found if isinstance(found, Sequence) and not isinstance(found, str) else ()


def text_at(value: Json, *path: str) -> str:
    """Return the text at a path, or an empty one; numbers are no text."""
    found = find(value, *path)
    return found if isinstance(found, str) else ""


def texts_at(value: Json, *path: str) -> tuple[str, ...]:
    """Return the texts of the list at a path."""
    return tuple(item for item in list_at(value, *path) if isinstance(item, str))


def number_at(value: Json, *path: str) -> int:
    """Return the whole number at a path, or 0; a number written as text counts."""
    found = find(value, *path)
    if isinstance(found, str) and found.isdecimal():
        return int(found)
    return int(found) if isinstance(found, int | float) and not isinstance(found, bool) else 0


def flag_at(value: Json, *path: str) -> bool:
    """Return the boolean at a path, or False."""
    return find(value, *path) is True

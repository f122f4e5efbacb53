"""JSON-like values and the narrow doors through which untyped documents come in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

__all__ = ["Json", "JsonMap", "as_list", "as_map", "as_text", "from_untyped"]

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonMap: TypeAlias = "dict[str, Json]"


def from_untyped(value: object) -> Json:
    """Take over a parsed document; keys become text, anything unknown becomes its text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {str(key): from_untyped(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [from_untyped(item) for item in value]
    return str(value)


def as_map(value: Json) -> JsonMap:
    """The mapping itself, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: Json) -> list[Json]:
    """The list itself, or an empty one for anything else."""
    return value if isinstance(value, list) else []


def as_text(value: Json) -> str:
    """The scalar as Go prints it, `""` for nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)

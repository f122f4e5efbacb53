"""A resource as data, before it becomes YAML and protobuf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

__all__ = ["Json", "Value"]

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]


@dataclass(frozen=True, slots=True)
class Value:
    """One resource: its id, its spec as YAML-able data, and typed where talosctl decodes it."""

    id: str
    spec: Json
    typed: Message | None = None
    namespace: str = ""  # "" for the type's default
    version: int = 0  # 0: counted by whoever reads it

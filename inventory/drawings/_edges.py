"""Edges as drawings show them: one line a pair of components."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from inventory.layers import UNKNOWN_RANK
from inventory.model import Edge, Inventory, Layer, Wave
from inventory.order import find_cycles, order_components

# What neither XML nor a terminal nor Mermaid takes: controls, lone surrogates, non-characters.
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def clean(text: str) -> str:
    """Return a name or reason without what no drawing can hold."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


@dataclass(frozen=True, slots=True)
class Line:
    """All edges from one component to another.

    Attributes:
        is_declared: Whether at least one of them is declared in the repository.
        is_in_cycle: Whether both ends wait for each other.
    """

    consumer: str
    provider: str
    reasons: tuple[str, ...]
    is_declared: bool
    is_in_cycle: bool


def find_waves(inventory: Inventory, edges: Iterable[Edge]) -> tuple[Wave, ...]:
    """Return the waves, and a last one of the components that stand in no layer."""
    waves = order_components(inventory, edges)
    placed = {name for wave in waves for name in wave.components}
    rest = tuple(c.name for c in inventory.components if c.name not in placed)
    if not rest:
        return waves
    layer = Layer("in no layer", "", UNKNOWN_RANK, rest, ())
    return (*waves, Wave(layer, rest))


def join_edges(edges: Iterable[Edge]) -> tuple[Line, ...]:
    """Return one line for each pair of different components, sorted."""
    found = [edge for edge in edges if edge.consumer != edge.provider]
    rings = [set(cycle.components) for cycle in find_cycles(found)]
    pairs: dict[tuple[str, str], list[Edge]] = {}
    for edge in found:
        pairs.setdefault((edge.consumer, edge.provider), []).append(edge)
    return tuple(
        Line(
            consumer=consumer,
            provider=provider,
            reasons=tuple(dict.fromkeys(edge.reason for edge in members)),
            is_declared=any(edge.is_declared for edge in members),
            is_in_cycle=any({consumer, provider} <= ring for ring in rings),
        )
        for (consumer, provider), members in sorted(pairs.items())
    )

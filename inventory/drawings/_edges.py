"""Edges as drawings show them: one line a pair of components."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from inventory.model import Edge
from inventory.order import find_cycles


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

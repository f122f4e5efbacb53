"""Edges from layer rank: which layer comes after which, and where the repository says otherwise.

Rank is the weakest reason to wait. These edges lead from layer to layer and stand apart from those
between components, so that they never close a circle with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from inventory.model import Edge, EdgeKind, Inventory, Wave
from inventory.order import find_waiting, order_components

_MAX_NAMES = 5


def rank_edges(inventory: Inventory, edges: Iterable[Edge] = ()) -> tuple[Edge, ...]:
    """Return an edge from each layer to those of the rank before it.

    Args:
        inventory: The repository.
        edges: What is known about components; those of an earlier layer that wait for a later one
            are named as exceptions.
    """
    edges = tuple(edges) or inventory.edges
    waves = [w for w in order_components(inventory, edges) if w.components or w.layer.objects]
    ranks = [list(group) for _, group in groupby(waves, key=lambda wave: wave.layer.rank)]
    return tuple(
        edge
        for number, group in enumerate(ranks[1:], 1)
        for wave in group
        for edge in _edges(wave, ranks[number - 1], _exceptions(wave, ranks[:number], edges))
    )


def _edges(wave: Wave, before: Iterable[Wave], exceptions: list[str]) -> Iterator[Edge]:
    shown = ", ".join(exceptions[:_MAX_NAMES])
    more = len(exceptions) - _MAX_NAMES
    shown += f" and {more} more" if more > 0 else ""
    but = f"; the other way round: {shown}" if exceptions else ""
    for other in before:
        yield Edge(
            consumer=wave.layer.name,
            provider=other.layer.name,
            kind=EdgeKind.RANK,
            reason=f"rank {wave.layer.rank} comes after {other.layer.rank}{but}",
            position=wave.layer.position,
            subjects=tuple(exceptions),
        )


def _exceptions(
    wave: Wave, earlier: Iterable[Iterable[Wave]], edges: tuple[Edge, ...]
) -> list[str]:
    """Return the components of earlier layers that wait for one of this layer."""
    waiting = find_waiting(edges, set(wave.components))
    return [n for group in earlier for w in group for n in w.components if n in waiting]

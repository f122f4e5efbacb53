"""The dependency graph as indented text, in bootstrap order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from inventory.drawings._edges import Line, clean, find_waves, join_edges
from inventory.model import Edge, Inventory
from inventory.ranks import rank_edges


def draw_text(inventory: Inventory, edges: Iterable[Edge]) -> str:
    """Return layers, their components, and below each what it waits for.

    `==>` is declared in the repository, `-->` is inferred, `~~>` follows from the layers' ranks,
    `!` marks a cycle.
    """
    edges = tuple(edges)
    lines: dict[str, list[Line]] = {}
    for line in join_edges(edges):
        lines.setdefault(line.consumer, []).append(line)
    parts: list[str] = []
    ranks = rank_edges(inventory, edges)
    for wave in find_waves(inventory, edges):
        parts.append(f"{wave.layer.name} (rank {wave.layer.rank})")
        parts.extend(
            f"  ~~> {edge.provider}: {edge.reason}"
            for edge in ranks
            if edge.consumer == wave.layer.name
        )
        for name in wave.components:
            note = "  (listed in an earlier layer)" if name in wave.deferred else ""
            parts.append(f"  {name}{note}")
            parts.extend(_describe(lines.get(name, ())))
    for entry in inventory.entries:
        if entry.name in lines:
            parts.append(f"{entry.name} (entry)")
            parts.extend(_describe(lines[entry.name]))
    return "\n".join(map(clean, parts)) + "\n"


def _describe(lines: Iterable[Line]) -> Iterator[str]:
    for line in lines:
        arrow = "==>" if line.is_declared else "-->"
        mark = " !" if line.is_in_cycle else ""
        yield f"    {arrow} {line.provider}{mark}: {'; '.join(line.reasons)}"

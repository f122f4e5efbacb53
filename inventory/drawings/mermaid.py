"""The dependency graph in Mermaid's language, which code hosts draw inside Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from inventory.drawings._edges import clean, find_waves, join_edges
from inventory.model import Edge, Inventory
from inventory.ranks import rank_edges


def draw_mermaid(inventory: Inventory, edges: Iterable[Edge]) -> str:
    """Return a flowchart: layers as boxes, declared edges solid, inferred ones dotted.

    Thick edges between layers follow from their ranks.
    """
    edges = tuple(edges)
    names: dict[str, str] = {}
    parts = ["flowchart LR"]
    layers: dict[str, str] = {}
    for number, wave in enumerate(find_waves(inventory, edges)):
        layers.setdefault(wave.layer.name, f"layer{number}")
        parts.append(f'  subgraph layer{number}["{_escape(wave.layer.name)}"]')
        parts.extend(f'    {_key(name, names)}["{_escape(name)}"]' for name in wave.components)
        parts.append("  end")
    lines = join_edges(edges)
    for line in lines:
        arrow = "-->" if line.is_declared else "-.->"
        parts.append(f"  {_node(line.consumer, names)} {arrow} {_node(line.provider, names)}")
    parts.extend(
        f"  {layers[edge.consumer]} == rank ==> {layers[edge.provider]}"
        for edge in rank_edges(inventory, edges)
    )
    red = [str(index) for index, line in enumerate(lines) if line.is_in_cycle]
    if red:
        parts.append(f"  linkStyle {','.join(red)} stroke:#c00,stroke-width:2px")
    return "\n".join(parts) + "\n"


def _node(name: str, names: dict[str, str]) -> str:
    """Return the node of a component, with its label when it stands in no layer."""
    is_new = name not in names
    key = _key(name, names)
    return f'{key}["{_escape(name)}"]' if is_new else key


def _key(name: str, names: dict[str, str]) -> str:
    # Mermaid's own words (`end`, `graph`) must not become node names.
    return names.setdefault(name, f"n{len(names)}")


def _escape(text: str) -> str:
    return clean(text).replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")

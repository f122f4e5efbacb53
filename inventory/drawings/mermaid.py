"""The dependency graph in Mermaid's language, which code hosts draw inside Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from inventory.drawings._edges import clean, find_waves, join_edges
from inventory.model import Edge, Inventory
from inventory.ranks import rank_edges

# What Mermaid draws by default; a diagram cannot raise them itself (`maxEdges`, `maxTextSize`).
_MOST_EDGES = 500
_MOST_CHARACTERS = 50_000
# Its `%%{ }%%` configures whatever draws it, `#1;` is a character, a backtick begins Markdown.
_OWN_SIGNS = str.maketrans({"#": "#35;", "%": "#37;", "`": "#96;"})


def find_excess(drawing: str) -> str:
    """Return what of a drawing is more than Mermaid draws by default; empty when nothing is."""
    edges = sum("-->" in line or "-.->" in line or "==>" in line for line in drawing.splitlines())
    if edges > _MOST_EDGES:
        return f"{edges} edges, and Mermaid draws {_MOST_EDGES}"
    if len(drawing) > _MOST_CHARACTERS:
        return f"{len(drawing)} characters, and Mermaid draws {_MOST_CHARACTERS}"
    return ""


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
    plain = clean(text).translate(_OWN_SIGNS)
    return plain.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")

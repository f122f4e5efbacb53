"""The dependency graph as a picture that any browser opens: no scripts, nothing to fetch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from xml.sax import saxutils

from inventory.drawings._edges import Line, clean, find_waves, join_edges
from inventory.model import Edge, Inventory, Wave
from inventory.ranks import rank_edges

_BOX_WIDTH = 190
_BOX_HEIGHT = 24
_ROW = 32
_COLUMN = 320  # leaves room for the curves between two columns
_MARGIN = 30
_HEADER = 70
_MAX_ROWS = 40  # longer layers continue in another column
_MAX_LABEL = 26  # letters that fit a box at 12 px
_MIN_WIDTH = 560  # the legend
_TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
    ' orient="auto"><path d="M0 0 8 4 0 8z" fill="#555"/></marker></defs>'
)
_STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #222 }
  .layer { font-weight: 600; font-size: 14px }
  .box { fill: #fff; stroke: #789 }
  .deferred { stroke-dasharray: 4 3 }
  .declared, .inferred { fill: none; stroke: #357; stroke-width: 1.3; opacity: .75 }
  .inferred { stroke: #888; stroke-dasharray: 5 4 }
  .rank { fill: none; stroke: #a60; stroke-width: 1.3; stroke-dasharray: 1 3 }
  .cycle { stroke: #c00; stroke-width: 2; opacity: 1 }
"""


@dataclass(frozen=True, slots=True)
class _Box:
    x: int
    y: int


def draw_svg(inventory: Inventory, edges: Iterable[Edge]) -> str:
    """Return an SVG document: layers as columns in bootstrap order, arrows to what is needed.

    Solid arrows are declared in the repository, dashed ones inferred, red ones form a cycle, dotted
    ones between headings follow from the layers' ranks; each shows its reasons when pointed at.
    """
    edges = tuple(edges)
    waves = find_waves(inventory, edges)
    boxes, headings = _place(waves)
    width = max((box.x for box in boxes.values()), default=0) + _COLUMN - _MARGIN
    height = max((box.y for box in boxes.values()), default=0) + _BOX_HEIGHT + _MARGIN
    size = f'width="{max(width, _MIN_WIDTH)}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{_escape(f'Dependencies of cluster {inventory.cluster}')}</title>",
        f"<style>{_STYLE}</style>",
        _TIP,
        f'<rect {size} fill="#fafafa"/>',
        *_legend(),
        *headings,
        *_ranks(rank_edges(inventory, edges), waves, boxes),
        *(text for line in join_edges(edges) for text in _curve(line, boxes)),
        *(text for wave in waves for name in wave.components for text in _box(name, wave, boxes)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _place(waves: Iterable[Wave]) -> tuple[dict[str, _Box], list[str]]:
    boxes: dict[str, _Box] = {}
    headings: list[str] = []
    x = _MARGIN
    for wave in waves:
        label = _escape(f"{wave.layer.name} ({len(wave.components)})")
        headings.append(f'<text class="layer" x="{x}" y="{_HEADER - 12}">{label}</text>')
        for number, name in enumerate(wave.components):
            column, row = divmod(number, _MAX_ROWS)
            boxes[name] = _Box(x + column * _COLUMN, _HEADER + row * _ROW)
        columns = max(0, len(wave.components) - 1) // _MAX_ROWS
        x += _COLUMN + columns * _COLUMN
    return boxes, headings


def _legend() -> Iterator[str]:
    shown = (
        ("declared", "declared"),
        ("inferred", "inferred"),
        ("declared cycle", "cycle"),
        ("rank", "layer rank"),
    )
    for number, (style, label) in enumerate(shown):
        x = _MARGIN + number * 130
        yield f'<path class="{style}" d="M{x} 20h40" marker-end="url(#tip)"/>'
        yield f'<text x="{x + 48}" y="24">{label}</text>'


def _ranks(
    edges: Iterable[Edge], waves: Iterable[Wave], boxes: Mapping[str, _Box]
) -> Iterator[str]:
    """Yield arrows under the headings, from the left side of one column to the right of another."""
    columns = {wave.layer.name: [boxes[name].x for name in wave.components] for wave in waves}
    for edge in edges:
        start, end = columns[edge.consumer], columns[edge.provider]
        if start and end:
            path = f"M{min(start)} {_HEADER - 6}H{max(end) + _BOX_WIDTH}"
            title = _escape(f"{edge.consumer} -> {edge.provider}: {edge.reason}")
            inner = f"<title>{title}</title>"
            yield f'<path class="rank" d="{path}" marker-end="url(#tip)">{inner}</path>'


def _box(name: str, wave: Wave, boxes: Mapping[str, _Box]) -> Iterator[str]:
    box = boxes[name]
    style = "box deferred" if name in wave.deferred else "box"
    label = name if len(name) <= _MAX_LABEL else name[: _MAX_LABEL - 1] + "…"
    yield f"<g><title>{_escape(name)}</title>"
    yield (
        f'<rect class="{style}" x="{box.x}" y="{box.y}" width="{_BOX_WIDTH}"'
        f' height="{_BOX_HEIGHT}" rx="4"/>'
    )
    yield f'<text x="{box.x + 8}" y="{box.y + 16}">{_escape(label)}</text></g>'


def _curve(line: Line, boxes: Mapping[str, _Box]) -> Iterator[str]:
    start, end = boxes.get(line.consumer), boxes.get(line.provider)
    if start is None or end is None:
        return
    style = "declared" if line.is_declared else "inferred"
    style += " cycle" if line.is_in_cycle else ""
    y1, y2 = start.y + _BOX_HEIGHT // 2, end.y + _BOX_HEIGHT // 2
    if start.x == end.x:  # within a column: out and back on the right side
        x = start.x + _BOX_WIDTH
        bend = x + 24 + min(abs(y1 - y2) // 6, 70)
        path = f"M{x} {y1}C{bend} {y1} {bend} {y2} {x} {y2}"
    else:
        goes_left = end.x < start.x
        x1 = start.x if goes_left else start.x + _BOX_WIDTH
        x2 = end.x + _BOX_WIDTH if goes_left else end.x
        middle = (x1 + x2) // 2
        path = f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"
    title = _escape(f"{line.consumer} -> {line.provider}: {'; '.join(line.reasons)}")
    yield f'<path class="{style}" d="{path}" marker-end="url(#tip)"><title>{title}</title></path>'


def _escape(text: str) -> str:
    """Return text as XML holds it."""
    return saxutils.escape(clean(text))

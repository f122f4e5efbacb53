"""The dependency graph as text, Mermaid and SVG.

May live here: pure functions from an inventory and its edges to strings. May not: files, terminals.
"""

from __future__ import annotations

from inventory.drawings.mermaid import draw_mermaid, find_excess
from inventory.drawings.svg import draw_svg
from inventory.drawings.text import draw_text

__all__ = ["draw_mermaid", "draw_svg", "draw_text", "find_excess"]

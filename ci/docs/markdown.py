"""Docstrings as Markdown, one sentence a line, and tables."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence

__all__ = ["escape", "first_sentence", "make_prose", "make_table"]

_SENTENCE_END = re.compile(r"(?<=[.!?]) (?=[A-Z`])")
# Where a thought comes from stands in the code for its developers; readers cannot look it up.
_SOURCES = re.compile(r" \((?:pains? \d[^)]*|facts: [^)]*)\)")
_CODE_SPAN = re.compile(r"(`[^`]*`)")


def make_prose(docstring: str | None) -> str:
    """Return a docstring's paragraphs, one sentence a line, without its Google sections."""
    text = inspect.cleandoc(docstring or "")
    text = re.split(r"\n\n(?:Args|Returns|Raises|Attributes|Yields):\n", text)[0]
    paragraphs = (_SOURCES.sub("", " ".join(p.split())) for p in text.split("\n\n"))
    return "\n\n".join(_SENTENCE_END.sub("\n", paragraph) for paragraph in paragraphs)


def first_sentence(docstring: str | None) -> str:
    """Return the first sentence of a docstring."""
    return make_prose(docstring).split("\n", 1)[0]


def make_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a `|` in a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(_escape_cell(cell) for cell in line)} |\n" for line in lines)


def escape(text: str) -> str:
    """Return text in which `<` opens no HTML tag; code spans stay as they are."""
    parts = _CODE_SPAN.split(text)
    return "".join(p if p.startswith("`") else p.replace("<", "\\<") for p in parts)


def _escape_cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")

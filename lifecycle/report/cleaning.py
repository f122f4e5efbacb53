"""Text from outside, made fit for a terminal: no sequences, no control characters."""

from __future__ import annotations

import re

__all__ = ["clean_lines", "clean_text"]

# Terminal sequences (colours, cursor, titles) that a tool's output may carry, then any other
# control character: none of them may reach the table or a log that somebody prints.
_SEQUENCES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def clean_text(text: str) -> str:
    """Return `text` on one line, without terminal sequences and control characters."""
    return _CONTROLS.sub(" ", _SEQUENCES.sub("", text)).strip()


def clean_lines(text: str) -> str:
    """Return `text` with its line breaks, each line without sequences and control characters."""
    return "\n".join(clean_text(line) for line in text.strip().splitlines())

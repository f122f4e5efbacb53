"""What the console writes in JSON mode."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

from inventory import Json
from lifecycle.cli.console import Terminal


def test_items_of_a_document_are_written_as_they_are_made() -> None:
    """A list of tens of thousands is never held as a whole, yet the document is one."""
    out = io.StringIO()
    written: list[int] = []

    def make() -> Iterator[Json]:
        for number in range(3):
            written.append(len(out.getvalue()))
            yield {"number": number, "text": '"items": ['}

    terminal = Terminal(io.StringIO(), out, io.StringIO(), is_json=True)
    terminal.print_json({"text": '"items": [', "runs": [{"items": []}], "end": 1}, "items", make())

    assert written == sorted(set(written))
    assert {
        "text": '"items": [',
        "runs": [{"items": [{"number": n, "text": '"items": ['} for n in range(3)]}],
        "end": 1,
    } == json.loads(out.getvalue())

"""The report of a rehearsal, as a table and for machines."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from lifecycle.cli.inventory_tables import clean, make_table
from lifecycle.cli.rehearsing.values import Part, Row, Verdict
from lifecycle.report.values import Json
from lifecycle.report.words import format_elapsed

__all__ = ["describe_rows", "draw_report", "sum_up"]

_STYLES = {Verdict.HELD: "green", Verdict.FAILED: "bold red", Verdict.DOES_NOT_APPLY: "dim"}


def draw_report(rows: Sequence[Row]) -> RenderableType:
    """Draw every row, part by part, and how many held."""
    table = make_table("Result", "What was tried", "Took", "What was seen")
    for column in table.columns[:3]:
        column.no_wrap = True
    for part in Part:
        mine = [row for row in rows if row.part is part]
        if mine:
            table.add_row("", Text(part.value, style="bold"), "", "")
        for row in mine:
            table.add_row(
                Text(row.verdict.value, style=_STYLES[row.verdict]),
                Text(clean(row.name)),
                Text(format_elapsed(row.elapsed_s) if row.elapsed_s else ""),
                Text(clean(row.seen)),
            )
    return Group(table, Text(sum_up(rows), style="bold"))


def sum_up(rows: Sequence[Row]) -> str:
    """Say in one line what came of it."""
    counts = [(sum(row.verdict is verdict for row in rows), verdict) for verdict in Verdict]
    took = format_elapsed(sum(row.elapsed_s for row in rows))
    runs = sum(row.runs for row in rows)
    parts = [f"{count} {verdict.value}" for count, verdict in counts if count]
    return f"{', '.join(parts) or 'nothing was tried'}; {runs} bootstraps, {took}"


def describe_rows(
    rows: Sequence[Row], *, cluster: str, commit: str, code: int, is_complete: bool
) -> Json:
    """Return the report for machines."""
    return {
        "cluster": cluster,
        "commit": commit,
        "exit_code": code,
        "complete": is_complete,
        "counts": {
            verdict.value: sum(row.verdict is verdict for row in rows) for verdict in Verdict
        },
        "trials": [
            {
                "part": row.part.value,
                "name": row.name,
                "result": row.verdict.value,
                "seen": row.seen,
                "elapsed_s": round(row.elapsed_s, 3),
                "runs": row.runs,
                "log": row.log,
                "hint": row.hint,
            }
            for row in rows
        ],
    }

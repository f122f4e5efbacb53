"""The tables of `validate`, as functions from values to something rich can draw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.text import Text

from inventory import Finding, Severity
from inventory.seed_kit import Item, Place
from lifecycle.cli.inventory_tables import clean, make_table
from lifecycle.cli.validate import Verdict

__all__ = ["MAX_EACH", "draw_verdict"]

# Rows of one kind of finding; nobody reads more, and drawing 40,000 took half a minute.
MAX_EACH = 200
_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "dim"}
_PLACES = {Place.IN_GIT: "green", Place.OUTSIDE: "yellow", Place.MISSING: "bold red"}


def draw_verdict(verdict: Verdict) -> RenderableType:
    """Draw findings, the worst first, then the seed kit, and how many of each there are."""
    judged = verdict.judged
    parts: list[RenderableType] = []
    if judged.open:
        table = make_table("Severity", "Where, what, and the repair")
        table.columns[0].no_wrap = True
        counts = Counter(finding.id for finding in judged.open)
        shown: Counter[str] = Counter()
        for finding in judged.open:
            shown[finding.id] += 1
            if shown[finding.id] <= MAX_EACH:
                severity = Text(finding.severity.value, style=_STYLES[finding.severity])
                table.add_row(severity, _describe(finding, verdict))
        parts.append(table)
        parts += [
            Text(clean(f"and {count - MAX_EACH} more of {name}; --json and --sarif list them all"))
            for name, count in counts.items()
            if count > MAX_EACH
        ]
    for name, kit in verdict.seed_kit.items():
        parts += [Text(""), Text(clean(f"seed kit of {name}"), style="bold"), _draw_kit(kit)]
    lines = [f"note: {note}" for note in verdict.notes]
    lines += [
        f"note: {item.position}: accepts nothing any more: {item.id}" for item in judged.unused
    ]
    lines += [
        f"note: {item.position}: was accepted until {item.until}: {item.id}: {item.reason}"
        for item in judged.expired
    ]
    return Group(*parts, *(Text(clean(line)) for line in lines), Text(_sum_up(verdict)))


def _describe(finding: Finding, verdict: Verdict) -> Text:
    names = verdict.clusters[finding]
    only = f"  [{', '.join(names)}]" if len(names) < len(verdict.names) else ""
    text = Text(clean(f"{finding.position}  {finding.id}{only}"), style="bold")
    text.append(f"\n{clean(finding.message)}", style="not bold")
    if finding.hint:
        text.append(f"\nrepair: {clean(finding.hint)}", style="not bold dim")
    return text


def _draw_kit(kit: Iterable[Item]) -> RenderableType:
    table = make_table("Is", "What a rebuild needs", "Why")
    table.columns[0].no_wrap = True
    for item in kit:
        place = f" ({item.position.path})" if item.position else ""
        table.add_row(
            Text(item.place.value, style=_PLACES[item.place]),
            Text(clean(item.name)),
            Text(clean(item.reason + place)),
        )
    return table


def _sum_up(verdict: Verdict) -> str:
    judged = verdict.judged
    counts = Counter(finding.severity for finding in judged.open)
    found = ", ".join(f"{counts[s]} {s.value}" for s in Severity if counts[s]) or "no findings"
    accepted = f", {len(judged.accepted)} accepted" if judged.accepted else ""
    return clean(f"{', '.join(verdict.names)}: {found}{accepted}")

"""The tables of what was compared with talosctl, in `docs/explanation/lab.md`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ci.docs.markdown import make_table
from ci.talos_rows import COMMANDS, ERRORS, Case, find_cases, read_proofs

__all__ = ["make_rows"]


def make_rows() -> str:
    """Make the tables of commands and of failures."""
    cases, proofs = find_cases(), read_proofs()
    parts = []
    for title, rows in (("command", COMMANDS), ("failure", ERRORS)):
        lines = [_describe(row, cases, proofs) for row in rows]
        parts.append(make_table((title, "tests", "real talosctl"), lines))
    return "\n".join(parts)


def _describe(
    row: str, cases: Sequence[Case], proofs: Mapping[str, Mapping[str, str]]
) -> tuple[str, str, str]:
    """Say how many tests a row has, and with which versions all of them have passed."""
    own = [case for case in cases if row in case.rows]
    known = {version for case in own for version in proofs.get(case.name, {})}
    proven = [
        version
        for version in sorted(known)
        if all(proofs.get(case.name, {}).get(version) == case.digest for case in own)
    ]
    name = row if row in ERRORS else f"`{row}`"
    return name, str(len(own)), ", ".join(proven) or "not yet"

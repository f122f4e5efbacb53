"""Findings that the user accepts, with a reason, in a file that lives in the repository.

The file is a YAML list; each item names a rule, optionally a path (a glob) and a text that the
message holds, and always a reason; `until` is the last day on which it counts::

    - id: disk-by-size-only
      path: clusters/main/**
      reason: the machines have one disk
      until: 2027-03-31
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Final

from inventory.documents import parse_documents
from inventory.model import Finding, Position
from inventory.objects import get_text
from inventory.rules import RULES

FILE_NAME: Final = ".talos-lifecycle-accepted.yaml"
_KEYS = ("id", "path", "message", "reason", "until")


class AcceptanceError(ValueError):
    """The file of accepted findings is wrong; `position` says where."""

    def __init__(self, message: str, position: Position) -> None:
        super().__init__(message)
        self.position = position


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One accepted kind of finding; empty fields match everything, without `until` for ever."""

    id: str
    reason: str
    position: Position
    path: str = ""
    message: str = ""
    until: date | None = None

    def covers(self, finding: Finding) -> bool:
        """Say whether a finding is accepted by this item."""
        return (
            finding.id == self.id
            and self.message in finding.message
            and (not self.path or _glob(self.path).fullmatch(finding.position.path) is not None)
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """Findings, split by what the user accepts.

    Attributes:
        reasons: Why each of `accepted` is, in the same order.
        unused: What accepts nothing any more.
        expired: What would accept something, and whose last day is over.
    """

    open: tuple[Finding, ...]
    accepted: tuple[Finding, ...]
    reasons: tuple[str, ...]
    unused: tuple[Acceptance, ...]
    expired: tuple[Acceptance, ...]


def read_acceptances(path: str, text: str) -> tuple[Acceptance, ...]:
    """Read the file.

    Raises:
        AcceptanceError: It is no list, an item has an unknown key or rule, gives no reason, or a
            last day that is no date.
    """
    documents, problems = parse_documents(path, text)
    if problems:
        problem = problems[0]
        raise AcceptanceError(problem.message, Position(path, problem.line, problem.column))
    if not documents:
        return ()
    document = documents[0]
    if not isinstance(document.value, list):
        raise AcceptanceError("accepted findings are no list", document.position)
    found: list[Acceptance] = []
    for item, place in zip(document.value, document.locate_items(), strict=True):
        if not isinstance(item, dict):
            raise AcceptanceError("accepted finding is no mapping", place)
        _check(item, place)
        texts = {key: get_text(item, key) for key in _KEYS}
        found.append(
            Acceptance(
                texts["id"],
                texts["reason"],
                place,
                texts["path"],
                texts["message"],
                _read_date(texts["until"], place) if "until" in item else None,
            )
        )
    return tuple(found)


def judge(findings: Iterable[Finding], acceptances: Sequence[Acceptance], today: date) -> Judged:
    """Split findings into open and accepted ones."""
    open_findings: list[Finding] = []
    accepted: list[Finding] = []
    reasons: list[str] = []
    used: set[Position] = set()
    for finding in findings:
        covering = [item for item in acceptances if item.covers(finding)]
        used.update(item.position for item in covering)
        valid = [item for item in covering if not _is_over(item, today)]
        if valid:
            accepted.append(finding)
            reasons.append(valid[0].reason)
        else:
            open_findings.append(finding)
    return Judged(
        tuple(open_findings),
        tuple(accepted),
        tuple(reasons),
        tuple(item for item in acceptances if item.position not in used),
        tuple(item for item in acceptances if item.position in used and _is_over(item, today)),
    )


def _is_over(item: Acceptance, today: date) -> bool:
    return item.until is not None and item.until < today


def _read_date(text: str, place: Position) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise AcceptanceError(
            f"last day is no date: `{text}`, write it as 2027-03-31", place
        ) from None


def _check(item: dict[str, object] | dict[str, str], place: Position) -> None:
    for key in item:
        if key not in _KEYS:
            raise AcceptanceError(f"unknown key: `{key}`{_suggest(key, _KEYS)}", place)
    name = str(item.get("id", ""))
    if name not in RULES:
        raise AcceptanceError(f"unknown finding: `{name}`{_suggest(name, RULES)}", place)
    if not str(item.get("reason") or "").strip():
        raise AcceptanceError(f"no reason is given for accepting `{name}`", place)


def _suggest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), 1)
    return f", did you mean `{near[0]}`?" if near else ""


def _glob(pattern: str) -> re.Pattern[str]:
    """Translate a glob: `**` crosses folders, `*` and `?` do not."""
    text = re.escape(pattern).replace(r"\*\*", ".*").replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
    return re.compile(text)

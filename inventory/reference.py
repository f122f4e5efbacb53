"""The reference page of findings, made from the rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from inventory.model import Severity
from inventory.rules import RULES, Rule

_INTRODUCTION: Final = """\
# Findings

What `invoke validate` says about a cluster repository.
Each finding has an id, a severity and a place (`path:line:column`).
An error makes something fail, a warning works until something happens, an info is worth telling.
A finding that blocks keeps a bootstrap from starting.
This page is made from the rules in `inventory/rules`.
"""


def write_reference() -> str:
    """Return the page as Markdown: a table of all rules, then a section for each."""
    ordered = sorted(RULES.values(), key=_order)
    table = "\n".join(_row(rule) for rule in ordered)
    sections = "\n".join(text for rule in ordered for text in _section(rule))
    return f"{_INTRODUCTION}\n| id | severity | blocks |\n|---|---|---|\n{table}\n\n{sections}"


def _order(rule: Rule) -> tuple[int, str]:
    return (list(Severity).index(rule.severity), rule.id)


def _row(rule: Rule) -> str:
    return f"| [{rule.id}](#{rule.id}) | {rule.severity.value} | {'yes' if rule.blocks else ''} |"


def _section(rule: Rule) -> Iterator[str]:
    yield f"## {rule.id}\n"
    yield f"{rule.explanation}\n"
    yield f"```yaml\n{rule.example}\n```\n"
    yield f"Repair: {rule.repair}.\n"

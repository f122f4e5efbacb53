"""A kind of finding."""

from __future__ import annotations

from dataclasses import dataclass

from inventory.model import Severity

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of finding.

    Attributes:
        explanation: One paragraph: what is wrong and what it leads to.
        repair: What to do; also the default hint.
        example: What it looks like, a few lines of a file.
    """

    id: str
    severity: Severity
    explanation: str
    repair: str
    example: str = ""


def rule(name: str, severity: Severity, explanation: str, repair: str) -> Rule:
    """Return a rule."""
    return Rule(name, severity, explanation, repair)

"""What a fault of a repository is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lab.faults.repository.tree import Tree
from lab.faults.values import Answer

__all__ = ["Damage", "RepositoryFault", "answered_by"]

# Breaks a private copy; raises DoesNotApplyError where there is nothing to break.
Damage = Callable[[Tree], None]


@dataclass(frozen=True, slots=True)
class RepositoryFault:
    """A named fault of what the repository holds; it picks its own place."""

    name: str
    does: str
    origin: str
    damage: Damage
    answers: tuple[Answer, ...]


def answered_by(*findings: str) -> tuple[Answer, ...]:
    """Return the answers of a fault that `validate` finds."""
    return tuple(Answer("finding", finding) for finding in findings)

"""What a probe can say: values without behaviour."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Answer", "Blocked", "Needed", "Satisfied", "Unknown"]


@dataclass(frozen=True, slots=True)
class Satisfied:
    """The world is as the step or gate wants it; `evidence` says how that was seen."""

    evidence: str


@dataclass(frozen=True, slots=True)
class Needed:
    """The step has something to do, or the gate waits; `diff` says what is missing."""

    diff: str


@dataclass(frozen=True, slots=True)
class Blocked:
    """Nothing this run may do can help; `hint` is the repair by hand."""

    reason: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The world cannot be seen from here yet; `reason` says what hides it."""

    reason: str


Answer = Satisfied | Needed | Blocked | Unknown

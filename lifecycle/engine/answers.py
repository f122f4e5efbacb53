"""What a probe can say, and conditions as the field knows them: values without behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

__all__ = ["Answer", "Blocked", "Condition", "ConditionStatus", "Needed", "Satisfied", "Unknown"]


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


class ConditionStatus(Enum):
    """Kubernetes' three truth values; a missing condition is UNKNOWN."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Condition:
    """One observation of one thing; `reason` is PascalCase, `message` is for people."""

    type: str
    status: ConditionStatus
    reason: str
    message: str
    observed_at: datetime

"""What the engine needs from outside: a journal, listeners for events. Implemented elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Protocol

__all__ = [
    "Event",
    "EventName",
    "Journal",
    "Listener",
    "RunRecord",
    "RunState",
    "StepRecord",
    "StepState",
    "Value",
]

Value = str | int | float | bool


class EventName(Enum):
    """Every event of a run; dotted, past tense. The reference page lists them all."""

    RUN_STARTED = "run.started"
    RUN_RESUMED = "run.resumed"
    RUN_FINISHED = "run.finished"
    RUN_FAILED = "run.failed"
    RUN_INTERRUPTED = "run.interrupted"
    PLAN_MADE = "plan.made"
    STEP_PROBED = "step.probed"
    STEP_SKIPPED = "step.skipped"
    STEP_STARTED = "step.started"
    STEP_APPLIED = "step.applied"
    STEP_VERIFIED = "step.verified"
    STEP_FAILED = "step.failed"
    GATE_ENTERED = "gate.entered"
    GATE_WAITED = "gate.waited"
    GATE_PASSED = "gate.passed"
    GATE_TIMED_OUT = "gate.timed_out"
    RETRY_SCHEDULED = "retry.scheduled"
    COMMAND_STARTED = "command.started"
    COMMAND_FINISHED = "command.finished"
    API_REQUESTED = "api.requested"
    CHECKPOINT_SAVED = "checkpoint.saved"
    LOCK_ACQUIRED = "lock.acquired"
    LOCK_LOST = "lock.lost"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `step` is the step's or gate's name, or empty."""

    name: EventName
    at: datetime
    step: str = ""
    fields: Mapping[str, Value] = field(default_factory=dict)


class Listener(Protocol):
    """Hears every event, in order, on the run's own event loop; must be quick and not raise."""

    def __call__(self, event: Event, /) -> None:
        """Take one event."""
        ...


class RunState(Enum):
    """How a run stands in the journal. `RUNNING` without a living process was killed."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class StepState(Enum):
    """How a step stands in the journal."""

    PENDING = "pending"
    WAITING = "waiting"  # a gate that is not open yet, or an applied step not yet observed
    RUNNING = "running"  # intent committed, act under way
    DONE = "done"  # probed as satisfied, with the evidence
    FAILED = "failed"
    ACCEPTED = "accepted"  # broken, and the user accepted that


@dataclass(frozen=True, slots=True)
class StepRecord:
    """What the journal holds of a step: memory, never truth."""

    name: str
    title: str
    state: StepState
    attempts: int
    last_seen: str  # what the last probe said
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What the journal holds of a run."""

    id: str
    kind: str  # `bootstrap`, `upgrade`, ...
    cluster: str
    state: RunState
    started_at: datetime
    ended_at: datetime | None
    resumed: int  # how often it was resumed
    message: str  # how it ended
    steps: Sequence[StepRecord] = ()


class Journal(Protocol):
    """The durable record of one run. Every call returns only when the record is on disk."""

    def record_plan(self, steps: Sequence[tuple[str, str]]) -> None:
        """Note the steps and gates of the run, (name, title), in order; those known are kept."""
        ...

    def record_probe(self, step: str, state: StepState, seen: str) -> None:
        """Note what a probe saw."""
        ...

    def record_intent(self, step: str, attempt: int) -> None:
        """Note that the act begins: committed before anything changes."""
        ...

    def record_applied(self, step: str) -> None:
        """Note that the act returned; its effect is not yet seen."""
        ...

    def record_proof(self, step: str, evidence: str) -> None:
        """Note that the effect was seen."""
        ...

    def record_failure(self, step: str, reason: str) -> None:
        """Note why a step or gate failed."""
        ...

    def has_open_intent(self, step: str) -> bool:
        """Tell whether any run of this cluster left an intent of this step without its proof."""
        ...

    def finish(self, state: RunState, message: str) -> None:
        """Note how the run ended."""
        ...

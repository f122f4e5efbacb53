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
    """A run began that continues none."""
    RUN_RESUMED = "run.resumed"
    """A run went on with the journal of one that was not finished."""
    RUN_FINISHED = "run.finished"
    """Every step and gate was done."""
    RUN_FAILED = "run.failed"
    """A step or gate failed, and nothing new was begun."""
    RUN_INTERRUPTED = "run.interrupted"
    """The run was stopped on request."""
    PLAN_MADE = "plan.made"
    """The plan is known: `count` steps and gates."""
    STEP_PROBED = "step.probed"
    """A probe's answer differs from the one before."""
    STEP_SKIPPED = "step.skipped"
    """A step's first probe found its effect there already."""
    STEP_STARTED = "step.started"
    """The intent is on disk and the act begins."""
    STEP_APPLIED = "step.applied"
    """The act returned; its effect is not seen yet."""
    STEP_VERIFIED = "step.verified"
    """A probe saw the effect; the proof is on disk."""
    STEP_FAILED = "step.failed"
    """A step, or a gate that refused, ended the run."""
    STEP_DIAGNOSED = "step.diagnosed"
    """A first cause of a failure was found: `cause`, `evidence`, `command`, `signature`."""
    GATE_ENTERED = "gate.entered"
    """A gate begins to wait."""
    GATE_WAITED = "gate.waited"
    """Reserved; nothing emits it."""
    GATE_PASSED = "gate.passed"
    """What a gate waits for is true."""
    GATE_TIMED_OUT = "gate.timed_out"
    """A gate saw nothing new for too long, or waited too long in all."""
    RETRY_SCHEDULED = "retry.scheduled"
    """An act failed in a way that another attempt may mend."""
    COMMAND_STARTED = "command.started"
    """A tool was started."""
    COMMAND_FINISHED = "command.finished"
    """A tool ended."""
    API_REQUESTED = "api.requested"
    """The Kubernetes API answered a request."""
    CHECKPOINT_SAVED = "checkpoint.saved"
    """Reserved; nothing emits it."""
    LOCK_ACQUIRED = "lock.acquired"
    """The run holds the cluster's Lease from here on."""
    LOCK_LOST = "lock.lost"
    """Another run took the Lease, or it could not be renewed in time."""


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

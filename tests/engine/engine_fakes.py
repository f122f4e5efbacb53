"""Fakes of the engine's ports: a journal in memory, a clock that jumps, scripted steps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from lifecycle.engine import Answer, Needed, Patience, Plan, RunState, Satisfied, StepState

_PATIENCE = Patience(poll=timedelta(seconds=1))


class JumpingClock:
    """A clock whose sleeps take no time but are counted."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        """Start of 2026 plus what was slept."""
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic_s(self) -> float:
        """Seconds slept so far."""
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        """Jump."""
        await asyncio.sleep(0)
        self.seconds += seconds


@dataclass
class MemoryJournal:
    """Keeps what a journal keeps, for as long as the object lives."""

    intents: dict[str, int] = field(default_factory=dict)
    proofs: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    state: RunState = RunState.RUNNING

    def record_plan(self, steps: Sequence[tuple[str, str]]) -> None:
        """Ignore the plan."""

    def record_probe(self, step: str, state: StepState, seen: str) -> None:
        """Ignore what was seen."""

    def record_intent(self, step: str, attempt: int) -> None:
        """Keep the intent."""
        self.intents[step] = attempt

    def record_applied(self, step: str) -> None:
        """Ignore that the act returned."""

    def record_proof(self, step: str, evidence: str) -> None:
        """Keep the proof, which closes the intent."""
        self.proofs[step] = evidence
        self.intents.pop(step, None)

    def record_failure(self, step: str, reason: str) -> None:
        """Keep the reason."""
        self.failures[step] = reason

    def has_open_intent(self, step: str) -> bool:
        """Tell whether the intent has no proof yet."""
        return step in self.intents

    def finish(self, state: RunState, message: str) -> None:  # noqa: ARG002 (the port has it)
        """Keep the state."""
        self.state = state


@dataclass
class ScriptedStep:
    """A step over a set that stands for the world: it is done when its name is in the set."""

    name: str
    world: set[str]
    after: tuple[str, ...] = ()
    lane: str = ""
    patience: Patience = _PATIENCE
    on_apply: Callable[[], None] = lambda: None
    acts: int = 0

    @property
    def title(self) -> str:
        """The name again."""
        return self.name

    async def probe(self) -> Answer:
        """Look into the set."""
        return Satisfied("is there") if self.name in self.world else Needed("is missing")

    async def apply(self) -> None:
        """Put the name into the set."""
        self.acts += 1
        self.on_apply()
        await asyncio.sleep(0)
        self.world.add(self.name)


def plan_of(*steps: ScriptedStep, lanes: dict[str, int] | None = None) -> Plan:
    """Make a plan of scripted steps in the order given."""
    return Plan("bootstrap", "main", steps, lanes or {})

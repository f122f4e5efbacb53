"""Builders of the report's tests: a plan, and a run whose events are told one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from lifecycle.engine import Answer, Event, EventName, Plan, Satisfied, make_plan
from lifecycle.engine.ports import Value
from lifecycle.report.board import Board

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class FakeGate:
    """A gate that is open."""

    name: str
    title: str
    after: tuple[str, ...] = ()

    async def probe(self) -> Answer:
        """Say that all is well."""
        return Satisfied("well")


@dataclass(frozen=True, slots=True)
class FakeStep(FakeGate):
    """A step that does nothing."""

    async def apply(self) -> None:
        """Do nothing."""


@dataclass(slots=True)
class Story:
    """A run told event by event; time passes as the story says."""

    plan: Plan
    moment: datetime = START
    board: Board = field(init=False)

    def __post_init__(self) -> None:
        self.board = Board(self.plan, run="bootstrap-1", now=lambda: self.moment)

    def tell(
        self, name: EventName, step: str = "", *, after_s: float = 1, **fields: Value
    ) -> Event:
        """Let `after_s` seconds pass, then let the event happen."""
        self.moment += timedelta(seconds=after_s)
        event = Event(name, self.moment, step, fields)
        self.board(event)
        return event


class Plans:
    """Builds plans and stories about them."""

    def make_step(self, name: str, title: str) -> FakeStep:
        """Build a step."""
        return FakeStep(name, title)

    def make_gate(self, name: str, title: str) -> FakeGate:
        """Build a gate."""
        return FakeGate(name, title)

    def make_plan(self, nodes: Sequence[FakeGate], groups: dict[str, str] | None = None) -> Plan:
        """Build a plan of a bootstrap of `home`."""
        return make_plan("bootstrap", "home", nodes, groups=groups)

    def make_large(self) -> Plan:
        """Build a plan of 8 groups of 8 steps, as large as a real cluster's."""
        names = [f"part-{group}/step-{number}" for group in range(8) for number in range(8)]
        nodes = [FakeStep(name, f"Do number {name[-1]} of part {name[5]}") for name in names]
        return self.make_plan(nodes, {name: f"Part {name[5]}" for name in names})

    def begin(self, plan: Plan) -> Story:
        """Begin a story."""
        return Story(plan)

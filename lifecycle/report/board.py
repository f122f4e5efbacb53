"""What a run looks like right now: events in, rows out. Knows no terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from lifecycle.engine.plan import Plan
from lifecycle.engine.ports import Event, EventName, StepState
from lifecycle.engine.step import Step
from lifecycle.report.cleaning import clean_text

__all__ = ["Board", "Row", "RowGroup"]

_STATES: Mapping[EventName, StepState] = {
    EventName.GATE_ENTERED: StepState.WAITING,
    EventName.STEP_STARTED: StepState.RUNNING,
    EventName.RETRY_SCHEDULED: StepState.RUNNING,
    EventName.STEP_APPLIED: StepState.WAITING,
    EventName.STEP_SKIPPED: StepState.DONE,
    EventName.STEP_VERIFIED: StepState.DONE,
    EventName.GATE_PASSED: StepState.DONE,
    EventName.STEP_FAILED: StepState.FAILED,
    EventName.GATE_TIMED_OUT: StepState.FAILED,
}
_ENDS = frozenset({StepState.DONE, StepState.FAILED, StepState.ACCEPTED})


@dataclass(frozen=True, slots=True)
class Row:
    """One step or gate: its state, what was last seen of it, and since when."""

    name: str
    title: str
    is_step: bool
    group: str = ""
    state: StepState = StepState.PENDING
    seen: str = ""
    is_changed: bool = False
    begun_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def is_ended(self) -> bool:
        """Tell whether nothing more will happen here."""
        return self.state in _ENDS

    @property
    def is_active(self) -> bool:
        """Tell whether somebody watching wants to see it: under way, or failed."""
        return self.state in {StepState.RUNNING, StepState.WAITING, StepState.FAILED}

    def measure_s(self, now: datetime) -> float | None:
        """Return the wall seconds it has taken until its end or `now`; None before it began."""
        return ((self.ended_at or now) - self.begun_at).total_seconds() if self.begun_at else None


@dataclass(frozen=True, slots=True)
class RowGroup:
    """A part of the run, as people name it, and its rows in order."""

    title: str
    rows: Sequence[Row]

    @property
    def done(self) -> int:
        """How many rows ended well."""
        return sum(row.state in {StepState.DONE, StepState.ACCEPTED} for row in self.rows)

    @property
    def is_finished(self) -> bool:
        """Tell whether every row ended well."""
        return self.done == len(self.rows)

    @property
    def is_untouched(self) -> bool:
        """Tell whether nothing has begun."""
        return all(row.state is StepState.PENDING for row in self.rows)


class Board:
    """Follows one run by its events; a `Listener`."""

    def __init__(self, plan: Plan, *, run: str, now: Callable[[], datetime]) -> None:
        self.kind = plan.kind
        self.cluster = plan.cluster
        self.run = run
        self.now = now
        self.begun_at = now()
        self.notice = ""  # one sentence for the person watching, for example about stopping
        self._rows = {
            node.name: Row(
                node.name,
                clean_text(node.title),
                isinstance(node, Step),
                plan.groups.get(node.name, ""),
            )
            for node in plan.nodes
        }

    def __call__(self, event: Event) -> None:
        """Take one event."""
        row = self._rows.get(event.step)
        if row is not None:
            self._rows[event.step] = _advance(row, event)

    def find(self, name: str) -> Row | None:
        """Return the row of a step or gate."""
        return self._rows.get(name)

    @property
    def rows(self) -> Sequence[Row]:
        """Every row, in the plan's order."""
        return tuple(self._rows.values())

    @property
    def done(self) -> int:
        """How many steps and gates ended well."""
        return sum(row.state in {StepState.DONE, StepState.ACCEPTED} for row in self.rows)

    @property
    def elapsed_s(self) -> float:
        """Wall seconds since the run began."""
        return (self.now() - self.begun_at).total_seconds()

    def group(self) -> Sequence[RowGroup]:
        """Return the rows by group, groups in the order in which they first appear."""
        groups: dict[str, list[Row]] = {}
        for row in self.rows:
            groups.setdefault(row.group, []).append(row)
        return [RowGroup(title, rows) for title, rows in groups.items()]


def _advance(row: Row, event: Event) -> Row:
    state = _STATES.get(event.name, row.state)
    if event.name is EventName.STEP_PROBED and state is StepState.PENDING:
        state = StepState.WAITING
    return replace(
        row,
        state=state,
        seen=_describe(event) or row.seen,
        is_changed=row.is_changed or event.name is EventName.STEP_STARTED,
        begun_at=row.begun_at or event.at,
        ended_at=event.at if state in _ENDS else None,
    )


def _describe(event: Event) -> str:
    text = clean_text(str(event.fields.get("seen", event.fields.get("reason", ""))))
    if event.name is EventName.RETRY_SCHEDULED:
        return f"again in {float(event.fields.get('wait_for_s', 0)):.0f} s: {text}"
    return text

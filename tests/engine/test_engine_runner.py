"""The runner: skip, act, verify, resume, stop."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.engine import (
    Answer,
    Blocked,
    Event,
    Needed,
    Patience,
    Runner,
    RunState,
    Satisfied,
    StepState,
    Unknown,
)
from lifecycle.errors import GateTimeoutError, PreconditionError, TransientError, VerifyError
from tests.engine.engine_fakes import JumpingClock, MemoryJournal, ScriptedStep, plan_of


def runner_of(
    clock: JumpingClock,
    journal: MemoryJournal,
    events: list[Event],
    *steps: ScriptedStep,
    lanes: dict[str, int] | None = None,
) -> Runner:
    """Make a runner over scripted steps."""
    return Runner(
        plan_of(*steps, lanes=lanes), journal=journal, listener=events.append, clock=clock
    )


async def test_satisfied_step_is_skipped(
    clock: JumpingClock, journal: MemoryJournal, events: list[Event]
) -> None:
    """A step whose probe is satisfied is never applied."""
    step = ScriptedStep("a", {"a"})
    result = await runner_of(clock, journal, events, step).run()

    assert (result.state, step.acts) == (RunState.FINISHED, 0)


async def test_steps_run_in_order_and_are_proven(
    clock: JumpingClock, journal: MemoryJournal, events: list[Event]
) -> None:
    """A later step sees the world that the earlier one made, and each leaves a proof."""
    world: set[str] = set()
    first = ScriptedStep("a", world)
    second = ScriptedStep("b", world, after=("a",), on_apply=lambda: world.add(f"b saw {world}"))
    result = await runner_of(clock, journal, events, second, first).run()

    assert result.state == RunState.FINISHED
    assert "b saw {'a'}" in world
    assert journal.proofs == {"a": "is there", "b": "is there"}


async def test_intent_is_on_record_before_the_act(
    clock: JumpingClock, journal: MemoryJournal, events: list[Event]
) -> None:
    """When the act begins, the journal already knows."""
    known: list[bool] = []
    step = ScriptedStep("a", set(), on_apply=lambda: known.append(journal.has_open_intent("a")))
    await runner_of(clock, journal, events, step).run()

    assert known == [True]


async def test_step_that_shows_no_effect_fails_as_not_observed(
    clock: JumpingClock, journal: MemoryJournal, events: list[Event]
) -> None:
    """Applied is not done: what the probe does not see did not happen."""
    step = ScriptedStep("a", set())
    step.world = frozenset()  # type: ignore[assignment] # a world that takes nothing

    async def apply() -> None:
        step.acts += 1

    step.apply = apply  # type: ignore[method-assign] # scripted act without effect
    result = await runner_of(clock, journal, events, step).run()

    assert result.state == RunState.FAILED
    assert isinstance(result.failures[0].error, VerifyError)


async def test_transient_error_is_retried_and_permanent_is_not(
    clock: JumpingClock, journal: MemoryJournal, events: list[Event]
) -> None:
    """Errors carry the decision whether another attempt helps."""
    errors = [TransientError("api went away"), TransientError("again")]

    def fail_twice() -> None:
        if errors:
            raise errors.pop()

    step = ScriptedStep("a", set(), on_apply=fail_twice)
    result = await runner_of(clock, journal, events, step).run()

    assert (result.state, step.acts) == (RunState.FINISHED, 3)


class _Gate:
    """A gate that plays a list of answers; the last one stays."""

    name = title = "gate"
    after: tuple[str, ...] = ()
    patience = Patience(
        stall=timedelta(seconds=30), deadline=timedelta(seconds=1000), poll=timedelta(seconds=10)
    )

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)

    async def probe(self) -> Answer:
        """Give the next answer."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def _run_gate(gate: _Gate, clock: JumpingClock, journal: MemoryJournal) -> object:
    plan = plan_of()
    plan = type(plan)("bootstrap", "main", (gate,))
    result = await Runner(plan, journal=journal, listener=lambda _: None, clock=clock).run()
    return result.failures[0].error if result.failures else result.outcomes[0].seen


async def test_slow_but_moving_is_not_a_stall(clock: JumpingClock, journal: MemoryJournal) -> None:
    """Patience is measured in progress: 50 different looks outlast the stall limit."""
    moving = [Needed(f"{count} of 50 ready") for count in range(50)]
    seen = await _run_gate(_Gate(*moving, Satisfied("50 of 50 ready")), clock, journal)

    assert seen == "50 of 50 ready"
    assert clock.seconds > 400


async def test_nothing_moving_is_a_stall_that_says_what_was_seen(
    clock: JumpingClock, journal: MemoryJournal
) -> None:
    """A gate that sees the same for too long ends with what it last saw."""
    error = await _run_gate(_Gate(Needed("3 of 50 ready")), clock, journal)

    assert isinstance(error, GateTimeoutError)
    assert error.last == "3 of 50 ready"
    assert 30 <= error.waited_s <= 40


async def test_timeout_hints_at_what_to_look_at(
    clock: JumpingClock, journal: MemoryJournal
) -> None:
    """A gate that knows where to look says so when the wait for it ends in vain."""

    class Hinting(_Gate):
        hint = "look at: the thing"

    error = await _run_gate(Hinting(Unknown("silence")), clock, journal)

    assert isinstance(error, GateTimeoutError)
    assert error.hint == "look at: the thing"


async def test_deadline_bounds_even_what_moves(clock: JumpingClock, journal: MemoryJournal) -> None:
    """Progress cannot go on for ever."""
    moving = [Unknown(f"look {count}") for count in range(500)]
    error = await _run_gate(_Gate(*moving), clock, journal)

    assert isinstance(error, GateTimeoutError)


async def test_blocked_before_any_change_is_a_refusal(
    clock: JumpingClock, journal: MemoryJournal
) -> None:
    """What is refused before any change has its own exit code and a hint."""
    error = await _run_gate(
        _Gate(Blocked("VIP answers", "turn the other machine off")), clock, journal
    )

    assert isinstance(error, PreconditionError)
    assert (error.message, error.hint) == ("VIP answers", "turn the other machine off")


async def test_lane_limits_how_many_run_together(
    clock: JumpingClock, journal: MemoryJournal, events: list[Event]
) -> None:
    """Control planes change one by one when the run says so."""
    world: set[str] = set()
    running: list[int] = [0, 0]

    class Crowded(ScriptedStep):
        async def apply(self) -> None:
            running[0] += 1
            running[1] = max(running)
            await asyncio.sleep(0)
            running[0] -= 1
            self.world.add(self.name)

    steps = [Crowded(f"s{index}", world, lane="control-planes") for index in range(4)]
    await runner_of(clock, journal, events, *steps, lanes={"control-planes": 1}).run()

    assert running[1] == 1


async def test_stop_on_request_ends_what_runs_and_begins_nothing(
    clock: JumpingClock, journal: MemoryJournal, events: list[Event]
) -> None:
    """The act under way ends, the next one does not begin, and the run can be resumed."""
    world: set[str] = set()
    runners: list[Runner] = []
    first = ScriptedStep("a", world, on_apply=lambda: runners[0].request_stop())
    second = ScriptedStep("b", world, after=("a",))
    runners.append(runner_of(clock, journal, events, first, second))
    result = await runners[0].run()

    assert (RunState.INTERRUPTED, {"a"}) == (result.state, world)
    assert journal.state == RunState.INTERRUPTED

    resumed = await runner_of(clock, journal, events, first, second).run()

    assert (resumed.state, first.acts, second.acts) == (RunState.FINISHED, 1, 1)


class _OnceStep(ScriptedStep):
    """A once-only step whose world may be asked whether it happened."""

    verdict: Answer = Needed("no member")

    async def has_happened(self) -> Answer:
        """Say what the test wants."""
        return self.verdict


@pytest.mark.parametrize(
    ("verdict", "acts", "state"),
    [
        (Needed("no etcd data"), 1, RunState.FINISHED),
        (Blocked("cannot tell", "look at `talosctl etcd members`"), 0, RunState.FAILED),
    ],
    ids=["certainly not", "cannot tell"],
)
async def test_open_intent_of_a_once_step_asks_the_world(
    clock: JumpingClock,
    journal: MemoryJournal,
    events: list[Event],
    verdict: Answer,
    acts: int,
    state: RunState,
) -> None:
    """After a kill between intent and proof the world decides, and doubt stops the run."""
    journal.record_intent("bootstrap-etcd", 1)
    step = _OnceStep("bootstrap-etcd", set())
    step.verdict = verdict
    result = await runner_of(clock, journal, events, step).run()

    assert (acts, state) == (step.acts, result.state)


async def test_bug_stops_the_run_and_is_raised(
    clock: JumpingClock, journal: MemoryJournal, events: list[Event]
) -> None:
    """An error that is not ours is a bug: recorded, and not swallowed."""

    def divide() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await runner_of(clock, journal, events, ScriptedStep("a", set(), on_apply=divide)).run()

    assert journal.state == RunState.FAILED


class _Killed(BaseException):
    """Stands for a SIGKILL: nothing in the program may catch it."""


@given(kill_at=st.integers(min_value=1, max_value=40))
async def test_killed_anywhere_and_run_again_converges(kill_at: int) -> None:
    """Whatever event a run dies at, the next one ends with the world as wanted, each act once."""
    world: set[str] = set()
    journal = MemoryJournal()
    steps = [
        ScriptedStep(f"s{index}", world, after=(f"s{index - 1}",) if index else ())
        for index in range(6)
    ]
    heard = 0

    def listen(_: Event) -> None:
        nonlocal heard
        heard += 1
        if heard == kill_at:
            raise _Killed

    plan = plan_of(*steps)
    try:
        await Runner(plan, journal=journal, listener=listen, clock=JumpingClock()).run()
    except _Killed:
        heard = 1000
        await Runner(plan, journal=journal, listener=listen, clock=JumpingClock()).run()

    assert {step.name for step in steps} == world
    assert [step.acts for step in steps] == [1] * 6


def test_states_have_words_for_people() -> None:
    """Every state of a step can be shown as a word."""
    assert all(state.value.islower() for state in StepState)

"""Walks a plan: independent nodes at the same time, every act between an intent and a proof.

The rule that makes a run safe to kill: before each act the world is probed and the intent is on
disk; after it the world is probed again and the proof is on disk. A killed run is continued by
walking the same plan again, since a probe that is satisfied skips its step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

from lifecycle.clock import Clock
from lifecycle.engine.abilities import hint_of, lane_of, patience_of
from lifecycle.engine.answers import Answer, Blocked, Needed, Satisfied, Unknown
from lifecycle.engine.plan import Plan
from lifecycle.engine.ports import Event, EventName, Journal, Listener, RunState, StepState, Value
from lifecycle.engine.retry import RetryPolicy, call_with_retry
from lifecycle.engine.scope import CURRENT_STEP
from lifecycle.engine.step import IsLocal, Node, Once, Step, Undoable
from lifecycle.engine.watch import Watcher
from lifecycle.errors import (
    CommandTimedOutError,
    GateTimeoutError,
    LifecycleError,
    PermanentError,
    PreconditionError,
    TooManyRequestsError,
    TransientError,
    UnavailableError,
    VerifyError,
)

__all__ = ["Failure", "Outcome", "RunResult", "Runner"]

RETRYABLE: tuple[type[LifecycleError], ...] = (
    TransientError,
    UnavailableError,
    TooManyRequestsError,
    CommandTimedOutError,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one node ended; `seconds` are the run's own, `changed` says whether it acted."""

    name: str
    title: str
    state: StepState
    seen: str
    seconds: float
    changed: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a node failed."""

    step: str
    error: LifecycleError


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended: `failures` is empty unless `state` is FAILED."""

    state: RunState
    outcomes: tuple[Outcome, ...]
    failures: tuple[Failure, ...]
    seconds: float


class Runner:
    """One execution of a plan."""

    def __init__(self, plan: Plan, *, journal: Journal, listener: Listener, clock: Clock) -> None:
        self._plan = plan
        self._journal = journal
        self._listener = listener
        self._clock = clock
        self._stop = asyncio.Event()
        self._is_stop_requested = False
        self._has_changed = False
        self._lanes = {name: asyncio.Semaphore(limit) for name, limit in plan.lanes.items()}
        self._outcomes: dict[str, Outcome] = {}
        self._failures: list[Failure] = []
        self._bugs: list[Exception] = []
        self._started: list[Step] = []

    def request_stop(self) -> None:
        """Stop at the next safe point: acts under way end, nothing new begins."""
        self._is_stop_requested = True
        self._stop.set()

    async def run(self) -> RunResult:
        """Walk the whole plan.

        Returns:
            The result, also when nodes failed or the run was stopped on request.

        Raises:
            asyncio.CancelledError: stopped at once.
            Exception: a bug, after everything under way has come to its safe point.
        """
        begun_s = self._clock.monotonic_s()
        nodes = {node.name: node for node in self._plan.nodes}
        self._journal.record_plan([(node.name, node.title) for node in self._plan.nodes])
        self._emit(EventName.PLAN_MADE, fields={"count": len(nodes)})
        await self._walk(nodes)
        await self._undo_open_ends()
        state = self._judge(len(nodes))
        self._journal.finish(state, "; ".join(failure.error.message for failure in self._failures))
        if self._bugs:
            raise self._bugs[0]
        outcomes = tuple(self._outcomes[name] for name in nodes if name in self._outcomes)
        seconds = self._clock.monotonic_s() - begun_s
        return RunResult(state, outcomes, tuple(self._failures), seconds)

    def _judge(self, count: int) -> RunState:
        if self._failures or self._bugs:
            return RunState.FAILED
        done = sum(outcome.state is StepState.DONE for outcome in self._outcomes.values())
        return RunState.FINISHED if done == count else RunState.INTERRUPTED

    async def _walk(self, nodes: Mapping[str, Node]) -> None:
        sorter = TopologicalSorter({node.name: node.after for node in nodes.values()})
        sorter.prepare()
        pending: set[asyncio.Task[str]] = set()
        try:
            while sorter.is_active():
                ready = () if self._stop.is_set() else sorter.get_ready()
                pending |= {asyncio.create_task(self._visit(nodes[name])) for name in ready}
                if not pending:
                    return
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    name = task.result()
                    if name:
                        sorter.done(name)
        finally:
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    async def _visit(self, node: Node) -> str:
        """Bring one node to its end; returns its name when it is done, else an empty string."""
        CURRENT_STEP.set(node.name)  # each visit is a task, so it has a context of its own
        watcher = Watcher(node, self._journal, self._emit, self._clock, self._stop)
        begun_s = self._clock.monotonic_s()
        changed = False
        try:
            if isinstance(node, Step):
                changed, seen = await self._perform(node, watcher)
            else:
                seen = await self._pass(node, watcher)
        except LifecycleError as error:
            self._fail(node, error)
            state, seen = StepState.FAILED, error.message
        except Exception as error:  # noqa: BLE001 (the run loop: a bug stops the run, cleanly)
            self._bugs.append(error)
            self._fail(node, LifecycleError(f"bug in `{node.name}`: {type(error).__name__}"))
            state, seen = StepState.FAILED, str(error)
        else:
            state = StepState.DONE if seen is not None else StepState.WAITING
        seconds = self._clock.monotonic_s() - begun_s
        self._outcomes[node.name] = Outcome(
            node.name, node.title, state, seen or watcher.seen, seconds, changed
        )
        return node.name if state is StepState.DONE else ""

    def _fail(self, node: Node, error: LifecycleError) -> None:
        self._failures.append(Failure(node.name, error))
        self._journal.record_failure(node.name, error.message)
        is_timeout = isinstance(error, GateTimeoutError)
        name = EventName.GATE_TIMED_OUT if is_timeout else EventName.STEP_FAILED
        self._emit(name, node.name, {"reason": error.message})
        self._stop.set()

    async def _pass(self, gate: Node, watcher: Watcher) -> str | None:
        self._emit(EventName.GATE_ENTERED, gate.name)
        answer = await watcher.wait_for(patience_of(gate), until=(Satisfied, Blocked))
        match answer:
            case None:
                return None
            case Blocked():
                raise self._refuse(gate, answer)
            case Satisfied(evidence):
                self._journal.record_proof(gate.name, evidence)
                self._emit(EventName.GATE_PASSED, gate.name, {"seen": evidence})
                return evidence
            case _:
                raise _describe_timeout(gate, watcher)

    async def _perform(self, step: Step, watcher: Watcher) -> tuple[bool, str | None]:
        answer = await watcher.wait_for(patience_of(step), until=(Satisfied, Needed, Blocked))
        match answer:
            case None:
                return False, None
            case Satisfied(evidence):
                self._journal.record_proof(step.name, evidence)
                self._emit(EventName.STEP_SKIPPED, step.name, {"seen": evidence})
                return False, evidence
            case Blocked():
                raise self._refuse(step, answer)
            case Unknown():
                raise _describe_timeout(step, watcher)
            case Needed():
                return await self._change(step, watcher)

    async def _change(self, step: Step, watcher: Watcher) -> tuple[bool, str | None]:
        async with self._lanes.get(lane_of(step), asyncio.Semaphore()):
            if self._stop.is_set():
                return False, None
            self._started.append(step)
            await self._act(step)
            answer = await watcher.wait_for(patience_of(step), until=(Satisfied, Blocked))
        match answer:
            case None:
                return True, None
            case Satisfied(evidence):
                self._journal.record_proof(step.name, evidence)
                self._emit(EventName.STEP_VERIFIED, step.name, {"seen": evidence})
                self._started.remove(step)
                return True, evidence
            case Blocked():
                raise self._refuse(step, answer)
            case _:
                message = f"{step.title}: not observed: {watcher.seen}"
                raise VerifyError(message, step=step.name, hint=hint_of(step))

    async def _act(self, step: Step) -> None:
        """Act, retrying what may help; a once-only act is first looked for in the world."""
        attempts = 0

        async def attempt() -> None:
            nonlocal attempts
            attempts += 1
            if isinstance(step, Once) and not await self._may_act(step):
                return
            self._journal.record_intent(step.name, attempts)
            self._emit(EventName.STEP_STARTED, step.name, {"attempt": attempts})
            self._has_changed = self._has_changed or not isinstance(step, IsLocal)
            await step.apply()

        async def hear(attempt_number: int, error: LifecycleError, wait_s: float) -> bool:
            fields: dict[str, Value] = {"attempt": attempt_number, "wait_for_s": round(wait_s, 1)}
            self._emit(EventName.RETRY_SCHEDULED, step.name, fields | {"reason": error.message})
            return not self._stop.is_set()

        total_s = patience_of(step).deadline.total_seconds()
        policy = RetryPolicy(attempts=8, total_s=total_s)
        await call_with_retry(
            attempt, on=RETRYABLE, clock=self._clock, policy=policy, before_retry=hear
        )
        self._journal.record_applied(step.name)
        self._emit(EventName.STEP_APPLIED, step.name)

    async def _may_act(self, step: Once) -> bool:
        """Decide about a once-only act whose intent is open: only the world knows."""
        assert isinstance(step, Step)  # noqa: S101 (narrows the type; both protocols are one object)
        if not self._journal.has_open_intent(step.name):
            return True
        answer: Answer = await step.has_happened()
        match answer:
            case Satisfied():
                return False
            case Needed():
                return True
            case Blocked(reason, hint):
                raise PermanentError(reason, step=step.name, hint=hint)
            case Unknown(reason):
                raise TransientError(reason, step=step.name)

    def _refuse(self, node: Node, answer: Blocked) -> LifecycleError:
        message = f"{answer.reason}"
        if self._has_changed:
            return PermanentError(message, step=node.name, hint=answer.hint)
        return PreconditionError(message, hint=answer.hint)

    async def _undo_open_ends(self) -> None:
        for step in reversed(self._started):
            if isinstance(step, Undoable):
                await step.undo()

    def _emit(
        self, name: EventName, step: str = "", fields: Mapping[str, Value] | None = None
    ) -> None:
        self._listener(Event(name, self._clock.now(), step, fields or {}))


def _describe_timeout(node: Node, watcher: Watcher) -> GateTimeoutError:
    return GateTimeoutError(
        node.title, waited_s=watcher.waited_s, last=watcher.seen, hint=hint_of(node)
    )

"""The frame of every run: lock, journal, log, question, live table, result, exit code."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lifecycle.cli.confirm import ask_to_go_on, require_answer
from lifecycle.cli.console import Terminal
from lifecycle.cli.diagnosing import Causes, find_causes, keep_causes, tell_causes
from lifecycle.cli.guard import make_bug_error
from lifecycle.cli.interrupt import Interrupts
from lifecycle.cli.lab_faults import tell_steps
from lifecycle.cli.meanwhile import look_meanwhile
from lifecycle.cli.place import Site, find_state, open_site
from lifecycle.cli.requests import RunRequest
from lifecycle.cli.wiring import Hold, Inputs, Prepare, Prepared
from lifecycle.clock import SystemClock
from lifecycle.engine import (
    Event,
    EventName,
    Failure,
    HasWarning,
    Listener,
    PlannedNode,
    Runner,
    RunResult,
    RunState,
    StepState,
    probe_plan,
)
from lifecycle.errors import ClusterLockedError, InterruptedRunError, LifecycleError
from lifecycle.secrets import Redactor
from lifecycle.store import FileLock, SqliteJournal

if TYPE_CHECKING:
    from lifecycle.report.board import Board
    from lifecycle.report.live import Watched
    from lifecycle.report.log import RunLog

__all__ = ["RunFrame", "run_in_frame"]

_NOW = SystemClock().now
_END_EVENTS = {
    RunState.FINISHED: EventName.RUN_FINISHED,
    RunState.FAILED: EventName.RUN_FAILED,
    RunState.INTERRUPTED: EventName.RUN_INTERRUPTED,
}


@dataclass(frozen=True, slots=True)
class RunFrame:
    """What a run is given besides its plan: where it shows, records and hides things."""

    kind: str
    request: RunRequest
    terminal: Terminal
    redactor: Redactor


def run_in_frame(frame: RunFrame, prepare: Prepare) -> int:
    """Carry out a run from the lock to the result table and return its exit code.

    Raises:
        LifecycleError: refused before it began, or stopped at once.
    """
    request = frame.request
    require_answer(frame.terminal, is_confirmed=request.is_confirmed)
    state = find_state(request.settings, request.target)
    state.create()
    with FileLock(state.lock, cluster=state.folder.name, now=_NOW()) as lock:
        if request.target.lab:
            frame.terminal.say("lab: looking for one that stands, or starting it")
        site = open_site(state, request.target)
        with (
            site.told(frame.terminal.say),
            SqliteJournal(
                state.journal,
                kind=frame.kind,
                cluster=site.cluster,
                now=_NOW,
                redact=frame.redactor.redact,
            ) as journal,
        ):
            lock.name_run(journal.run.id)
            return _Run(frame, site, journal, prepare).carry_out()


class _Run:
    """One run, from its preparation to its end."""

    def __init__(
        self, frame: RunFrame, site: Site, journal: SqliteJournal, prepare: Prepare
    ) -> None:
        from lifecycle.report.log import RunLog  # noqa: PLC0415 (start-up)

        self._frame = frame
        self._site = site
        self._journal = journal
        self._prepare = prepare
        self._log: RunLog = RunLog(
            site.state.log_of(journal.run.id),
            run=journal.run.id,
            cluster=site.cluster,
            redact=frame.redactor.redact,
        )
        self._listeners: list[Listener] = []

    def carry_out(self) -> int:
        """Run to the end and show it; a bug leaves its traceback in the log."""
        with self._log:
            try:
                return asyncio.run(self._run())
            except LifecycleError:
                raise
            except Exception as error:
                self._log.record_crash(traceback.format_exc())
                raise make_bug_error(error, self._log.path) from error

    async def _run(self) -> int:
        request = self._frame.request
        inputs = Inputs(
            site=self._site,
            accepted=request.accepted,
            consented_disks=request.consented_disks,
            redactor=self._frame.redactor,
            listener=self._hear,
            was_attempted=self._journal.was_attempted,
            run=self._journal.run.id,
        )
        async with self._prepare(inputs) as prepared:
            if not request.is_confirmed:
                await self._confirm(prepared)
            board, result = await self._walk(prepared)
            causes = await self._look_for_causes(prepared, result)
        self._show(board, result, prepared, causes)
        return _judge(result)

    async def _look_for_causes(self, prepared: Prepared, result: RunResult) -> Causes:
        """Ask why steps failed, while the doors are open; journal and log keep the answers."""
        if not result.failures:
            return {}
        terminal = self._frame.terminal
        causes = await find_causes(
            prepared.diagnose, result.failures, redact=self._redact, restore=terminal.restore
        )
        keep_causes(causes, self._journal, self._log)
        return causes

    async def _confirm(self, prepared: Prepared) -> None:
        from lifecycle.report.tables import draw_plan, draw_warnings  # noqa: PLC0415 (start-up)

        planned = await probe_plan(prepared.plan)
        terminal = self._frame.terminal
        terminal.show_aside(draw_plan(prepared.plan, planned))
        terminal.show_aside(draw_warnings(_collect_warnings(planned)))
        if any(node.is_to_do for node in planned):
            ask_to_go_on(terminal, f"{prepared.plan.kind} {prepared.plan.cluster}?")

    async def _walk(self, prepared: Prepared) -> tuple[Board, RunResult]:
        from lifecycle.report.board import Board  # noqa: PLC0415 (start-up)
        from lifecycle.report.live import watch_run  # noqa: PLC0415 (start-up)

        terminal = self._frame.terminal
        board = Board(prepared.plan, run=self._journal.run.id, now=_NOW)
        runner = Runner(
            prepared.plan, journal=self._journal, listener=self._hear, clock=prepared.clock
        )
        tellers = tell_steps(self._site.control, prepared.plan)
        self._begin()
        watched = watch_run(
            board,
            terminal.stderr,
            is_live=terminal.is_live,
            is_verbose=self._frame.request.settings.is_verbose,
            make_console=terminal.make_live_console,
        )
        with watched:
            self._listeners += [watched, *tellers]
            async with look_meanwhile(
                prepared.diagnose,
                prepared.clock,
                self._listeners,
                lambda text: watched.tell(self._redact(text)),
            ):
                return board, await self._walk_interruptibly(runner, board, watched, prepared.hold)

    async def _walk_interruptibly(
        self, runner: Runner, board: Board, watched: Watched, hold: Hold
    ) -> RunResult:
        running = asyncio.ensure_future(runner.run())
        lost: list[Failure] = []

        def stop() -> None:
            runner.request_stop()
            watched.tell(_describe_stop(board))

        def lose(error: ClusterLockedError) -> None:
            lost.append(Failure("lease-is-held", error))
            stop()

        with Interrupts(stop=stop, cancel=running.cancel, restore=self._frame.terminal.restore):
            try:
                async with hold(lose), self._site.watched(running.cancel):
                    result = await running
            except asyncio.CancelledError:
                raise self._close_early() from None
            except Exception as error:
                self._note(RunState.FAILED, type(error).__name__)
                raise
        if lost:
            failures = (*lost, *result.failures)
            result = replace(result, state=RunState.FAILED, failures=failures)
            self._journal.finish(RunState.FAILED, lost[0].error.message)
        self._note(result.state, "; ".join(f.error.message for f in result.failures))
        return result

    def _close_early(self) -> LifecycleError:
        """Note that the run was cancelled, and return what to say of it."""
        state, error = RunState.FAILED, LifecycleError("run ended, since its lab has ended")
        if not self._site.find_end():
            state = RunState.INTERRUPTED
            error = InterruptedRunError("stopped at once", hint=self._hint_to_go_on())
        self._journal.finish(state, error.message)
        self._note(state, error.message)
        return error

    def _begin(self) -> None:
        self._journal.begin()
        run = self._journal.run
        name = EventName.RUN_RESUMED if run.resumed else EventName.RUN_STARTED
        self._hear(Event(name, _NOW(), fields={"kind": self._frame.kind, "resumed": run.resumed}))
        if run.resumed:
            self._frame.terminal.say(f"resuming run {run.id}: every step is probed again")

    def _note(self, state: RunState, reason: str) -> None:
        self._hear(Event(_END_EVENTS[state], _NOW(), fields={"reason": reason}))

    def _hear(self, event: Event) -> None:
        redact: Callable[[str], str] = self._frame.redactor.redact
        fields = {
            key: redact(value) if isinstance(value, str) else value
            for key, value in event.fields.items()
        }
        for listener in (self._log, *self._listeners):
            listener(replace(event, fields=fields))

    def _show(self, board: Board, result: RunResult, prepared: Prepared, causes: Causes) -> None:
        from lifecycle.report.tables import draw_result  # noqa: PLC0415 (start-up)
        from lifecycle.report.values import value_of_result  # noqa: PLC0415 (start-up)

        terminal = self._frame.terminal
        log = str(self._log.path)
        terminal.show(draw_result(board, result))
        for note in prepared.notes:
            terminal.say(f"note: {note}")
        for failure in result.failures:
            terminal.say(self._redact(f"error: {_describe_failure(board, failure)}"))
            for line in tell_causes(causes.get(failure.step, ())):
                terminal.say(line)
            if failure.error.hint:
                terminal.say(self._redact(f"hint: {failure.error.hint}"))
        if result.state is not RunState.FINISHED:
            terminal.say(f"hint: {self._hint_to_go_on()}")
        terminal.say(f"log: {log}")
        value = value_of_result(
            board, result, log=log, resumed=self._journal.run.resumed, causes=causes
        )
        terminal.print_json(value)

    def _redact(self, text: str) -> str:
        return self._frame.redactor.redact(text)

    def _hint_to_go_on(self) -> str:
        return f"`{self._frame.request.settings.command}` goes on from here"


def _collect_warnings(planned: tuple[PlannedNode, ...]) -> list[str]:
    return [
        node.node.warning
        for node in planned
        if node.is_to_do and isinstance(node.node, HasWarning) and node.node.warning
    ]


def _describe_stop(board: Board) -> str:
    acting = [row.title for row in board.rows if row.state is StepState.RUNNING]
    after = f" after: {', '.join(acting)}" if acting else ""
    return f"stopping{after}; Ctrl-C again stops at once"


def _describe_failure(board: Board, failure: Failure) -> str:
    row = board.find(failure.step)
    message = failure.error.message
    # A gate that ran out of patience names itself.
    return message if row is None or message.startswith(row.title) else f"{row.title}: {message}"


def _judge(result: RunResult) -> int:
    if result.failures:
        return result.failures[0].error.exit_code
    return 0 if result.state is RunState.FINISHED else InterruptedRunError.exit_code

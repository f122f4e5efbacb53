"""Probing again and again, with patience measured in progress."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping

from lifecycle.clock import Clock
from lifecycle.engine.answers import Answer, Blocked, Needed, Satisfied, Unknown
from lifecycle.engine.ports import EventName, Journal, StepState, Value
from lifecycle.engine.step import HasNews, Node, Patience
from lifecycle.errors import ApiError, DriverError, ToolMissingError, UnauthorizedError

__all__ = ["Watcher", "describe_answer"]

# Own seconds from news to the next probe: changes come in bursts, and one probe sees them all.
_SETTLE_S = 0.05
# Of the usual poll, where a node hears of changes by itself.
_POLL_FACTOR = 5.0

Emit = Callable[[EventName, str, Mapping[str, Value]], None]


class Watcher:
    """Probes one node until it says what is waited for.

    `seen` is what the last probe said, `waited_s` how long the last wait took, in seconds of the
    run's own time.
    """

    def __init__(
        self, node: Node, journal: Journal, emit: Emit, clock: Clock, stop: asyncio.Event
    ) -> None:
        self._node = node
        self._journal = journal
        self._emit = emit
        self._clock = clock
        self._stop = stop
        self.seen = ""
        self.waited_s = 0.0
        self._asked_s = 0.0  # for which whoever was asked last wants to be left alone

    async def wait_for(
        self, patience: Patience, *, until: tuple[type[Answer], ...]
    ) -> Answer | None:
        """Probe until an answer of a kind in `until`.

        Returns:
            That answer; None when the run is to stop; the last answer when patience ended.
        """
        begun_s = self._clock.monotonic_s()
        moved_s = begun_s
        while True:
            answer = await self._probe()
            now_s = self._clock.monotonic_s()
            if self._note(answer):
                moved_s = now_s
            self.waited_s = now_s - begun_s
            if isinstance(answer, until):
                return answer
            if self._stop.is_set():
                return None
            is_stalled = now_s - moved_s >= patience.stall.total_seconds()
            if is_stalled or self.waited_s >= patience.deadline.total_seconds():
                return answer
            await self._pause(patience.poll.total_seconds())

    async def _probe(self) -> Answer:
        """Probe once; what cannot get better by waiting is raised."""
        self._asked_s = 0.0
        try:
            return await self._node.probe()
        except (ToolMissingError, UnauthorizedError):
            raise
        except DriverError as error:
            if isinstance(error, ApiError):
                self._asked_s = error.retry_after_s
            return Unknown(error.message)

    def _note(self, answer: Answer) -> bool:
        """Remember what was seen; returns whether it is news."""
        kind, text = describe_answer(answer)
        if text == self.seen:
            return False
        self.seen = text
        state = StepState.DONE if isinstance(answer, Satisfied) else StepState.WAITING
        self._journal.record_probe(self._node.name, state, text)
        self._emit(EventName.STEP_PROBED, self._node.name, {"answer": kind, "seen": text})
        return True

    async def _pause(self, seconds: float) -> None:
        """Wait, but not longer than until there is news, or the run is to stop.

        Whoever asked to be left alone for a while is.
        """
        tasks = [asyncio.create_task(wait) for wait in self._list_waits(seconds)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, Exception):
                raise outcome

    def _list_waits(self, seconds: float) -> list[Coroutine[None, None, object]]:
        if self._asked_s > 0.0:
            return [self._stop.wait(), self._clock.sleep(max(seconds, self._asked_s))]
        if not isinstance(self._node, HasNews):
            return [self._stop.wait(), self._clock.sleep(seconds)]
        poll = self._clock.sleep(seconds * _POLL_FACTOR)
        return [self._stop.wait(), poll, self._hear(self._node)]

    async def _hear(self, node: HasNews) -> None:
        try:
            await node.wait_for_news()
        except DriverError:
            await self._stop.wait()  # nothing to hear there: polling goes on
        await self._clock.sleep(_SETTLE_S)


def describe_answer(answer: Answer) -> tuple[str, str]:
    """Return the kind of an answer in a word, and its text."""
    match answer:
        case Satisfied(evidence):
            return "satisfied", evidence
        case Needed(diff):
            return "needed", diff
        case Blocked(reason):
            return "blocked", reason
        case Unknown(reason):
            return "unknown", reason

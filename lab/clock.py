"""Simulated time: one clock for everything that the lab pretends to wait for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from lab.ledger import CAUSE, Ledger, Wait

__all__ = ["LabClock"]


class LabClock:
    """Time of the simulated world, `speed` times faster than the wall's.

    All durations are simulated seconds. Every wait names what is waited for and goes into the
    ledger, so that a run's time can be compared with the longest chain of waits.
    """

    def __init__(self, ledger: Ledger, *, speed: float = 1.0) -> None:
        if speed <= 0:
            message = f"speed must be positive: `{speed}`"
            raise ValueError(message)
        self.ledger = ledger
        self.speed = speed
        self._epoch = datetime.now(UTC)
        self._started = time.monotonic()
        self._begun_s = 0.0  # simulated seconds until `_started`

    def change_speed(self, speed: float) -> None:
        """Let time pass at another speed from now on; waits under way keep theirs."""
        self._begun_s, self._started = self.elapsed_s(), time.monotonic()
        self.speed = speed

    def elapsed_s(self) -> float:
        """Simulated seconds since the clock was made."""
        return self._begun_s + (time.monotonic() - self._started) * self.speed

    def now(self) -> datetime:
        """Simulated date and time: the wall's at the start, then `speed` times faster."""
        return self._epoch + timedelta(seconds=self.elapsed_s())

    async def wait(self, seconds: float, what: str) -> None:
        """Let `seconds` of simulated time pass and record them as `what`."""
        async with self._recorded(what, seconds):
            await asyncio.sleep(seconds / self.speed)

    async def pause(self, seconds: float) -> None:
        """Let `seconds` of simulated time pass, unrecorded: a poll, nothing anybody waits for."""
        await asyncio.sleep(seconds / self.speed)

    @asynccontextmanager
    async def span(self, what: str) -> AsyncIterator[None]:
        """Record real work that belongs to the simulated world, with the time that it takes."""
        async with self._recorded(what, None):
            yield

    def note_wait(self, seconds: float, what: str, cause: int) -> None:
        """Record a wait of `seconds` that ends now and followed from `cause`; it is the new one."""
        ended_s = self.elapsed_s()
        number = self.ledger.begin_wait()
        begun_s = max(0.0, ended_s - seconds)
        self.ledger.record_wait(Wait(what, begun_s, ended_s, seconds, number, cause))
        CAUSE.set(number)

    @asynccontextmanager
    async def _recorded(self, what: str, meant_s: float | None) -> AsyncIterator[None]:
        """Record what happens inside as one wait, even when it is cancelled."""
        begun_s, cause = self.elapsed_s(), CAUSE.get()
        number = self.ledger.begin_wait()
        is_cancelled = True
        try:
            yield
            is_cancelled = False
        finally:
            ended_s = self.elapsed_s()
            took_s = ended_s - begun_s
            seconds = took_s if meant_s is None else min(took_s, meant_s)
            is_work = meant_s is None
            self.ledger.record_wait(
                Wait(what, begun_s, ended_s, seconds, number, cause, is_work, is_cancelled)
            )
            if not is_cancelled:
                CAUSE.set(number)

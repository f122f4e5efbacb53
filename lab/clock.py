"""Simulated time: one clock for everything that the lab pretends to wait for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from lab.ledger import Ledger

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

    def elapsed_s(self) -> float:
        """Simulated seconds since the clock was made."""
        return (time.monotonic() - self._started) * self.speed

    def now(self) -> datetime:
        """Simulated date and time: the wall's at the start, then `speed` times faster."""
        return self._epoch + timedelta(seconds=self.elapsed_s())

    async def wait(self, seconds: float, what: str) -> None:
        """Let `seconds` of simulated time pass and record the span as `what`."""
        async with self.span(what):
            await asyncio.sleep(seconds / self.speed)

    async def pause(self, seconds: float) -> None:
        """Let `seconds` of simulated time pass, unrecorded: a poll, nothing anybody waits for."""
        await asyncio.sleep(seconds / self.speed)

    @asynccontextmanager
    async def span(self, what: str) -> AsyncIterator[None]:
        """Record what happens inside as one wait, even when it is cancelled."""
        begun_s = self.elapsed_s()
        try:
            yield
        finally:
            self.ledger.record_wait(what, begun_s, self.elapsed_s())

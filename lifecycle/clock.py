"""Time as something that is passed in: the system's, or a faster one for the lab."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """The only way in which a run waits or reads the time."""

    def now(self) -> datetime:
        """Wall time in UTC, for records."""
        ...

    def monotonic_s(self) -> float:
        """Seconds of the run's own time since some start, for durations and patience."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds` of the run's own time."""
        ...


class SystemClock:
    """The system's time; `speed` above 1 makes the run's own time pass faster (the lab's).

    Patience does not get shorter than a tenth of what it is on real machines, however fast the
    lab runs, since helm and git take the time that they take.
    """

    # A poll faster than this costs more processor time than it saves waiting.
    _shortest_wall_s = 0.15
    _fastest_patience = 10.0

    def __init__(self, *, speed: float = 1.0) -> None:
        self.speed = speed

    def now(self) -> datetime:
        """Wall time in UTC."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Seconds of the run's own time."""
        return time.monotonic() * min(self.speed, self._fastest_patience)

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds` of the run's own time."""
        await asyncio.sleep(max(seconds / self.speed, min(seconds, self._shortest_wall_s)))

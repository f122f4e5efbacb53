"""While a gate waits long without news: the cause as far as it can be seen, told once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from lifecycle.clock import Clock
from lifecycle.engine import Event, EventName, Listener

if TYPE_CHECKING:
    from lifecycle.cli.wiring import Diagnose

__all__ = ["QuietGates", "look_meanwhile"]

# Seconds of the run's own time: most waits are over by then, and one look a minute costs little.
_QUIET_S = 60.0
_OVER = frozenset({EventName.GATE_PASSED, EventName.GATE_TIMED_OUT, EventName.STEP_FAILED})


class QuietGates:
    """Remembers which gates wait, and since when nothing was heard of each; a `Listener`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heard_s: dict[str, float] = {}
        self._seen: dict[str, str] = {}

    def __call__(self, event: Event) -> None:
        """Take one event."""
        is_news = event.name is EventName.STEP_PROBED and event.step in self._heard_s
        if is_news:
            self._seen[event.step] = str(event.fields.get("seen", ""))
        if is_news or event.name is EventName.GATE_ENTERED:
            self._heard_s[event.step] = self._clock.monotonic_s()
        elif event.name in _OVER:
            self._heard_s.pop(event.step, None)
            self._seen.pop(event.step, None)

    def is_waiting(self, gate: str) -> bool:
        """Tell whether a gate is still waited for."""
        return gate in self._heard_s

    def recall(self, gate: str) -> str:
        """Return what a gate saw last."""
        return self._seen.get(gate, "")

    def take_quiet(self) -> tuple[str, ...]:
        """Return the gates that are quiet for long; each again only after as long."""
        now_s = self._clock.monotonic_s()
        quiet = [gate for gate, heard_s in self._heard_s.items() if now_s - heard_s >= _QUIET_S]
        self._heard_s.update(dict.fromkeys(quiet, now_s))
        return tuple(quiet)


@asynccontextmanager
async def look_meanwhile(
    diagnose: Diagnose, clock: Clock, listeners: list[Listener], tell: Callable[[str], None]
) -> AsyncIterator[None]:
    """Look for causes beside a run, and tell each one once; ends with the run."""
    quiet = QuietGates(clock)
    listeners.append(quiet)
    looking = asyncio.create_task(_look(diagnose, clock, quiet, tell))
    try:
        yield
    finally:
        listeners.remove(quiet)
        looking.cancel()
        # Whatever became of it, it must not become the run's own end.
        await asyncio.gather(looking, return_exceptions=True)


async def _look(
    diagnose: Diagnose, clock: Clock, quiet: QuietGates, tell: Callable[[str], None]
) -> None:
    # What is shown of each gate; causes name pods, which another attempt replaces by others.
    told: dict[str, tuple[str, str]] = {}
    while True:
        await clock.sleep(_QUIET_S / 4)
        for gate in [gate for gate in told if not quiet.is_waiting(gate)]:
            del told[gate]
            tell(f"{gate} waits no longer")
        for gate in quiet.take_quiet():
            for found in (await diagnose(gate, quiet.recall(gate)))[:1]:
                kind = (found.signature, found.component)
                if found.signature and quiet.is_waiting(gate) and told.get(gate) != kind:
                    told[gate] = kind
                    tell(f"{gate} waits; cause so far: {found.cause}; hint: {found.command}")

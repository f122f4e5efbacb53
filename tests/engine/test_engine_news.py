"""News: probes come sooner where a node hears of changes, and come all the same where not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from lifecycle.engine import Answer, HasNews, Patience, RunState, Satisfied, Unknown
from lifecycle.engine.plan import Plan
from lifecycle.engine.runner import Runner
from lifecycle.errors import TooManyRequestsError, UnavailableError
from tests.engine.engine_fakes import JumpingClock, MemoryJournal


class PatientClock(JumpingClock):
    """A clock on which a poll never comes: only news can end a wait."""

    async def sleep(self, seconds: float) -> None:
        """Jump over short waits, wait for ever in long ones."""
        if seconds >= 1.0:
            await asyncio.Event().wait()
        await super().sleep(seconds)


@dataclass
class Door:
    """A gate that is open at its second probe, and hears of it."""

    name: str = "door"
    title: str = "Wait for the door"
    after: tuple[str, ...] = ()
    patience: Patience = field(default=Patience(poll=timedelta(seconds=1)))
    error: UnavailableError | None = None
    refusal: TooManyRequestsError | None = None
    probes: int = 0

    async def probe(self) -> Answer:
        """Look, or be refused at first."""
        self.probes += 1
        if self.refusal and self.probes == 1:
            raise self.refusal
        return Satisfied("open") if self.probes > 1 else Unknown("shut")

    async def wait_for_news(self) -> None:
        """Hear at once, or have no ears."""
        if self.error:
            raise self.error


async def run(door: Door, clock: JumpingClock) -> RunState:
    """Run a plan of that gate alone."""
    plan = Plan("bootstrap", "main", (door,))
    runner = Runner(plan, journal=MemoryJournal(), listener=lambda _event: None, clock=clock)
    return (await runner.run()).state


def test_news_is_an_ability_of_its_own() -> None:
    """A node is known to hear by having the method, nothing else."""
    assert isinstance(Door(), HasNews)


async def test_news_brings_the_next_probe_before_any_poll() -> None:
    """What changes is seen when it changes, not when the poll comes round."""
    assert await run(Door(), PatientClock()) is RunState.FINISHED


async def test_news_that_cannot_be_had_leaves_polling() -> None:
    """A watch that breaks slows the run down and never ends it."""
    door = Door(error=UnavailableError("no watch"))

    assert await run(door, JumpingClock()) is RunState.FINISHED


async def test_server_that_asks_for_time_gets_it() -> None:
    """Neither news nor the usual poll comes before what `Retry-After` said."""
    clock = JumpingClock()
    door = Door(refusal=TooManyRequestsError("too many", retry_after_s=17.0))

    assert await run(door, clock) is RunState.FINISHED
    assert clock.seconds >= 17.0

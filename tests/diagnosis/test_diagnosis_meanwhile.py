"""What is told while a gate waits long: the cause so far, once, and when it is over."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from lifecycle.cli.meanwhile import look_meanwhile
from lifecycle.diagnosis import Diagnosis
from lifecycle.engine import Event, EventName, Listener

NOW = datetime(2026, 8, 1, tzinfo=UTC)
GATE = "layer-is-ready/apps"


class FastClock:
    """Time that passes only when somebody sleeps, at once."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def now(self) -> datetime:
        """Wall time, which nobody asks for here."""
        return NOW

    def monotonic_s(self) -> float:
        """Seconds slept."""
        return self.passed_s

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.passed_s += seconds
        await asyncio.sleep(0)


async def find(_step: str, _seen: str) -> tuple[Diagnosis, ...]:
    """Find the same cause again and again."""
    return (Diagnosis("a typo", (), "correct it", signature="build-failed"),)


async def turn(count: int = 100) -> None:
    """Let everybody else go on for a while."""
    for _ in range(count):
        await asyncio.sleep(0)


def hear(listeners: list[Listener], name: EventName) -> None:
    """Tell everybody of an event of the gate."""
    for listener in listeners:
        listener(Event(name, NOW, GATE))


async def test_cause_of_a_long_wait_is_told_once() -> None:
    """A gate without news for a minute gets its cause told, once, and that it is over."""
    told: list[str] = []
    listeners: list[Listener] = []
    async with look_meanwhile(find, FastClock(), listeners, told.append):
        hear(listeners, EventName.GATE_ENTERED)
        await turn()
        during = [*told]
        hear(listeners, EventName.GATE_PASSED)
        await turn()

    assert [f"{GATE} waits; cause so far: a typo; hint: correct it"] == during
    assert f"{GATE} waits no longer" == told[-1]
    assert [] == listeners


async def test_cause_is_looked_for_by_what_was_seen() -> None:
    """What the gate saw last may say more than the cluster shows."""
    asked: list[str] = []
    listeners: list[Listener] = []

    async def note(_step: str, seen: str) -> tuple[Diagnosis, ...]:
        asked.append(seen)
        return ()

    async with look_meanwhile(note, FastClock(), listeners, asked.append):
        hear(listeners, EventName.GATE_ENTERED)
        for listener in listeners:
            listener(Event(EventName.STEP_PROBED, NOW, GATE, {"seen": "etcd failed"}))
        await turn()

    assert {"etcd failed"} == set(asked)


async def test_steps_that_act_are_left_alone() -> None:
    """Only gates are looked into: a machine that installs has no cause to be named."""
    told: list[str] = []
    listeners: list[Listener] = []
    async with look_meanwhile(find, FastClock(), listeners, told.append):
        hear(listeners, EventName.STEP_STARTED)
        hear(listeners, EventName.STEP_PROBED)
        await turn()

    assert [] == told

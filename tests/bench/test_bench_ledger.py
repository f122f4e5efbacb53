"""The lab's critical path: what causes what, and what a wait counts with."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from lab.clock import LabClock
from lab.kubernetes.store import Store
from lab.ledger import CAUSE, Ledger, Wait, find_longest_chain

SPEED = 10_000.0


def names(waits: Sequence[Wait]) -> list[str]:
    """What the waits of a chain are about."""
    return [wait.what for wait in find_longest_chain(waits)]


@st.composite
def caused_waits(draw: st.DrawFn) -> list[Wait]:
    """Draw waits of which each follows from an earlier one, or from none."""
    count = draw(st.integers(min_value=0, max_value=12))
    waits: list[Wait] = []
    for number in range(1, count + 1):
        cause = draw(st.integers(min_value=0, max_value=number - 1))
        begun_s = next((wait.ended_s for wait in waits if wait.number == cause), 0.0)
        seconds = float(draw(st.integers(min_value=0, max_value=50)))
        waits.append(Wait("w", begun_s, begun_s + seconds, seconds, number, cause))
    return waits


@given(caused_waits())
def test_ledger_chain_is_caused_link_by_link(waits: list[Wait]) -> None:
    """Each link of the critical path follows from the one before it, the first from none."""
    chain = find_longest_chain(waits)

    assert [0, *(wait.number for wait in chain[:-1])][: len(chain)] == [w.cause for w in chain]


@given(caused_waits())
def test_ledger_chain_never_exceeds_the_time_that_passed(waits: list[Wait]) -> None:
    """It is a lower bound: a run that waits for nothing else takes exactly that long."""
    weight = sum(wait.seconds for wait in find_longest_chain(waits))

    assert max((wait.ended_s for wait in waits), default=0.0) == weight


async def test_ledger_does_not_chain_what_merely_does_not_overlap() -> None:
    """Pods that start one after the other on a busy machine are not a longer path."""
    ledger = Ledger()
    clock = LabClock(ledger, speed=SPEED)
    for name in ("pod a", "pod b"):
        await asyncio.create_task(clock.wait(10.0, name))

    assert 1 == len(find_longest_chain(ledger.waits))


async def test_ledger_follows_a_task_from_wait_to_wait() -> None:
    """What one task waits for, one after the other, is a chain."""
    ledger = Ledger()
    clock = LabClock(ledger, speed=SPEED)

    async def boot() -> None:
        await clock.wait(4.0, "install")
        await clock.wait(6.0, "reboot")

    await asyncio.create_task(boot())

    assert ["install", "reboot"] == names(ledger.waits)


async def test_ledger_goes_on_from_the_heaviest_of_several_causes() -> None:
    """A release waits for all of its pods, so the slowest one leads on."""
    ledger = Ledger()
    clock = LabClock(ledger, speed=SPEED)
    await asyncio.create_task(clock.wait(5.0, "short"))
    await asyncio.create_task(clock.wait(50.0, "long"))

    async def join() -> None:
        ledger.follow(*(wait.number for wait in ledger.waits))
        await clock.wait(1.0, "after both")

    await asyncio.create_task(join())

    assert ["long", "after both"] == names(ledger.waits)


async def test_ledger_lets_the_orchestrator_follow_from_what_it_saw_only() -> None:
    """What it has not looked at by the time of its write cannot have held it up."""
    ledger = Ledger()
    clock = LabClock(ledger, speed=SPEED)
    await asyncio.create_task(clock.wait(5.0, "seen"))
    ledger.note_seen(*(wait.number for wait in ledger.waits))
    await asyncio.create_task(clock.wait(50.0, "unseen"))

    async def act() -> None:
        ledger.follow_seen()
        await clock.wait(60.0, "ordered")

    await asyncio.create_task(act())

    assert ["seen", "ordered"] == names(ledger.waits)


async def test_ledger_counts_a_simulated_wait_as_it_was_meant() -> None:
    """A busy event loop wakes sleepers late; that is overhead and no part of the path."""
    ledger = Ledger()
    await LabClock(ledger, speed=SPEED).wait(1.0, "pod")

    assert [1.0] == [wait.seconds for wait in ledger.waits]


async def test_ledger_counts_work_as_long_as_it_took() -> None:
    """What a real tool takes is measured, not invented."""
    ledger = Ledger()
    clock = LabClock(ledger, speed=SPEED)
    async with clock.span("render"):
        await asyncio.sleep(0)
    work = ledger.waits[0]

    assert (True, work.ended_s - work.begun_s) == (work.is_work, work.seconds)


async def test_ledger_keeps_cancelled_waits_out_of_the_chain() -> None:
    """A wait that was called off brought nothing about."""
    ledger = Ledger()
    waiting = asyncio.create_task(LabClock(ledger).wait(1000.0, "deadline"))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    assert ([True], ()) == (
        [wait.is_cancelled for wait in ledger.waits],
        find_longest_chain(ledger.waits),
    )


async def test_store_passes_causes_on_with_its_changes() -> None:
    """Whoever reacts to an object follows from what its writer followed from."""
    store = Store()
    heard: list[int] = []
    store.listen(lambda change: heard.append(change.cause))

    async def write() -> None:
        CAUSE.set(7)
        store.put("pods", {"metadata": {"name": "a", "namespace": "b"}})

    await asyncio.create_task(write())

    assert ([7], 7) == (heard, store.cause_of("pods", "b", "a"))

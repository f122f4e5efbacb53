"""One run a cluster, across machines: who gets the Lease, who is refused, who takes it over."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import timedelta
from typing import cast

import pytest

from lifecycle.engine import Needed, Satisfied, Unknown
from lifecycle.errors import ClusterLockedError, ConflictError, UnavailableError
from lifecycle.gates.lease import LeaseIsHeld
from lifecycle.world import World
from lifecycle.world.cluster_access import ClusterAccess
from lifecycle.world.holder import Holder, find_own_holder, is_process_alive
from lifecycle.world.lease import LEASE, Doubtful, Free, Held, Taken
from tests.leases.conftest import Contend
from tests.leases.leases_cluster import Contender

OVER = timedelta(minutes=10)


@pytest.fixture
def ended() -> int:
    """The pid of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


class OnlyLease:
    """A world of which the gate sees the Lease alone."""

    def __init__(self, contender: Contender) -> None:
        self.lease = contender.lease


def gate_of(contender: Contender) -> LeaseIsHeld:
    """Return the gate of a contender's run."""
    return LeaseIsHeld(cast("World", OnlyLease(contender)))


async def test_free_lease_is_taken_renewed_and_given_back(contend: Contend) -> None:
    """A run takes the Lease, keeps its time fresh, and leaves it free."""
    run = contend("laptop")

    async with run.lease.kept(run.lost.append):
        await run.win()
        first = await run.spec()
        while (renewed := await run.spec())["renewTime"] == first["renewTime"]:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    after = await run.spec()

    assert "ops@laptop pid 100 run run-of-laptop" == first["holderIdentity"]
    assert 60 == first["leaseDurationSeconds"]
    assert first["acquireTime"] == renewed["acquireTime"]
    assert ("", 1) == (after["holderIdentity"], after["leaseDurationSeconds"])
    assert ["lock.acquired"] == run.heard()


async def test_second_machine_is_refused_and_told_who(contend: Contend) -> None:
    """While a run on another machine holds the Lease, the gate refuses with its name."""
    first, second = contend("laptop"), contend("desktop")

    async with first.lease.kept(first.lost.append), second.lease.kept(second.lost.append):
        await first.win()
        await second.see(lambda seen: isinstance(seen, Taken))
        with pytest.raises(ClusterLockedError) as caught:
            await gate_of(second).probe()
        held = await gate_of(first).probe()

    assert Satisfied("held by this run") == held
    assert "process 100 of ops on laptop, run `run-of-laptop`" == caught.value.holder
    assert "cluster is locked: `home` by process 100 of ops on laptop" in caught.value.message
    assert "60 s after its last renewal" in caught.value.hint
    assert [] == second.lost


async def test_what_was_given_back_is_taken_at_once(contend: Contend) -> None:
    """After a run has ended, the next one on any machine need not wait."""
    first, second = contend("laptop"), contend("desktop")
    async with first.lease.kept(first.lost.append):
        await first.win()

    async with second.lease.kept(second.lost.append):
        await second.win()
        spec = await second.spec()

    assert "ops@desktop pid 100 run run-of-desktop" == spec["holderIdentity"]
    assert 1 == spec["leaseTransitions"]


async def test_lease_of_a_dead_machine_is_watched_then_taken(contend: Contend) -> None:
    """When its time is over and no sign of life comes, it is taken over."""
    first, second = contend("laptop"), contend("desktop")
    await _hold_and_die(first)
    second.clock.ahead = timedelta(seconds=61)

    async with second.lease.kept(second.lost.append):
        doubt = await second.see(lambda seen: isinstance(seen, Doubtful))
        waiting = await gate_of(second).probe()
        second.clock.ahead += timedelta(seconds=21)
        await second.win()

    assert isinstance(doubt, Doubtful)
    assert doubt.holder == "process 100 of ops on laptop, run `run-of-laptop`"
    assert isinstance(waiting, Needed)
    assert "watched: process 100 of ops on laptop" in waiting.diff


async def test_clock_that_runs_ahead_steals_nothing(contend: Contend) -> None:
    """A living holder renews: its Lease is not over because our clock says so."""
    first, second = contend("laptop"), contend("desktop")
    second.clock.ahead = OVER

    async with first.lease.kept(first.lost.append), second.lease.kept(second.lost.append):
        await first.win()
        await second.see(lambda seen: isinstance(seen, Doubtful))
        for _ in range(5):
            second.clock.ahead += timedelta(seconds=15)
            await asyncio.sleep(0.05)
        seen = await second.lease.look()

    assert isinstance(seen, Doubtful)
    assert [] == first.lost


async def test_dead_process_of_this_machine_is_followed_at_once(
    contend: Contend, ended: int
) -> None:
    """After a kill the next run here does not wait for the Lease's time."""
    await _hold_and_die(contend("laptop", ended, space="here"))
    run = contend("laptop", space="here")

    why = await run.lease.look()
    async with run.lease.kept(run.lost.append):
        await run.win()

    assert Free(f"process {ended}, which held it, has ended") == why


async def test_living_process_of_this_machine_is_respected(contend: Contend) -> None:
    """Another state folder on the same machine is no way around the Lease."""
    await _hold_and_die(contend("laptop", os.getppid(), space="here"))

    seen = await contend("laptop", space="here").lease.look()

    assert isinstance(seen, Taken)


async def test_same_host_name_is_not_the_same_machine(contend: Contend, ended: int) -> None:
    """A pid says nothing about a process of another machine that has the same name."""
    await _hold_and_die(contend("localhost", ended, space="there"))

    seen = await contend("localhost", space="here").lease.look()

    assert isinstance(seen, Taken)


async def test_lost_lease_stops_the_run(contend: Contend) -> None:
    """A run whose Lease another one took is told, and does not give back what is not its own."""
    first, second = contend("laptop"), contend("desktop")

    async with first.lease.kept(first.lost.append):
        await first.win()
        await _steal(first, second)
        async with asyncio.timeout(10):
            while not first.lost:  # noqa: ASYNC110 (the callback is what is waited for)
                await asyncio.sleep(0.005)
    spec = await first.spec()

    assert "process 100 of ops on desktop, run `run-of-desktop`" == first.lost[0].holder
    assert str(second.holder) == spec["holderIdentity"]
    assert ["lock.acquired", "lock.lost"] == first.heard()


async def test_api_that_goes_away_does_not_end_it(contend: Contend) -> None:
    """While nobody can reach the API nobody can take the Lease: a run keeps it."""
    run = contend("laptop")
    flaky = FlakyAccess(run.access)
    run.lease._access = cast("ClusterAccess", flaky)

    async with run.lease.kept(run.lost.append):
        await run.win()
        flaky.is_down = True
        await asyncio.sleep(0.05)
        down = await run.lease.look()
        flaky.is_down = False
        await asyncio.sleep(0.05)
        up = await run.lease.look()

    assert Held() == down == up
    assert ["lock.acquired"] == run.heard()


async def test_plan_only_looks(contend: Contend, access: ClusterAccess) -> None:
    """Without a run a free Lease is as good as held, and nothing is written."""
    run = contend("laptop")

    answer = await gate_of(run).probe()

    assert Satisfied("free: nobody has held it yet") == answer
    assert await (await access.api()).find(LEASE) is None


async def test_before_there_is_an_api_nothing_is_known(contend: Contend) -> None:
    """A plan of a bare cluster does not know the Lease."""
    run = contend("laptop")
    run.access.kubeconfig.unlink()

    answer = await gate_of(run).probe()

    assert Unknown("no API server answers: there is no kubeconfig yet") == answer


def test_holder_is_read_as_it_was_written() -> None:
    """A holder's text is its value, whoever wrote others."""
    holder = find_own_holder("bootstrap-1")

    assert holder == Holder.parse(str(holder))
    assert Holder.parse("some-controller-7f9c_1b2c") is None
    assert is_process_alive(os.getpid())


def test_zombie_has_ended() -> None:
    """A killed process that nobody has waited for yet holds nothing."""
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    with child:
        assert child.stdout is not None
        child.stdout.read()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

        assert not is_process_alive(child.pid)


class FlakyAccess:
    """Access to an API that can be switched off."""

    def __init__(self, access: ClusterAccess) -> None:
        self.access = access
        self.is_down = False

    async def api(self) -> object:
        """Return the client, or fail as one does that gets no connection."""
        if self.is_down:
            raise UnavailableError("API server does not answer")
        return await self.access.api()


async def _hold_and_die(run: Contender) -> None:
    """Take the Lease as a run does that is killed: it is not given back."""
    api = await run.access.api()
    await run.lease._write(api, None, holder=str(run.holder), duration=timedelta(seconds=60))


async def _steal(run: Contender, other: Contender) -> None:
    """Let another run take the Lease, whatever it is."""
    api = await run.access.api()
    while str(other.holder) != (await run.spec())["holderIdentity"]:
        lease = await api.get(LEASE)
        try:
            await other.lease._write(
                api, lease, holder=str(other.holder), duration=timedelta(seconds=60)
            )
        except ConflictError:
            continue

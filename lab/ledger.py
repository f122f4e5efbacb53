"""What the lab remembers of a rehearsal: waits, what caused them, and acts that happen once.

The critical path of a rehearsal is the heaviest chain of waits in which each *caused* the next.
Waits that merely happen not to overlap make no chain: the pods of two releases are disjoint in
time whenever the machine is busy, and no run is obliged to wait for one after the other.

Causes are followed as effects spread. A wait that ends is the cause of what its task does from
there on; what a task writes carries the task's cause; whoever reacts to that write takes the
cause over (the store, watches and queues of `lab.kubernetes` and `lab.flux`, and the machines,
hand it on). What waits in a controller's queue because every worker is busy follows from what
the worker that takes it did before: helm-controller installs four releases at a time, in life
as here. Where something needs several waits, such as a release all of its pods, the one with
the heaviest chain behind it is the cause. What the orchestrator does follows from what it has
seen by then, since it looks before it acts: each answer that it reads, of a machine or of the API,
is noted with its cause, and at its writes the heaviest of those goes on.

A simulated wait counts with the seconds that it was meant to take, however late the event loop
woke it up; the work of a real tool, which is waited for in the same way, with what it took. So
whatever a run takes beyond the chain is its own and the lab's overhead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["CAUSE", "Ledger", "Wait", "find_longest_chain"]

# Number of the wait that what now happens follows from; each asyncio task has its own.
CAUSE: ContextVar[int] = ContextVar("lab_cause", default=0)


@dataclass(frozen=True, slots=True)
class Wait:
    """One wait; times are simulated seconds since the lab's start.

    `seconds` is what it counts with, `cause` the number of the wait that it follows from (0 for
    none), `is_work` marks what a real tool took. A cancelled wait causes nothing.
    """

    what: str
    begun_s: float
    ended_s: float
    seconds: float
    number: int = 0
    cause: int = 0
    is_work: bool = False
    is_cancelled: bool = False


class Ledger:
    """Counts acts and keeps every wait, for proofs and for the critical path."""

    def __init__(self) -> None:
        self._acts: Counter[str] = Counter()
        self._waits: list[Wait] = []
        self._weights: dict[int, float] = {}  # seconds of the chain that ends with a wait
        self._begun = 0
        self._seen = 0  # the heaviest cause of what somebody outside has read

    def count(self, act: str) -> None:
        """Note that `act` (for example `etcd.bootstrap`) happened once more."""
        self._acts[act] += 1

    def begin_wait(self) -> int:
        """Return the number of a wait that begins now."""
        self._begun += 1
        return self._begun

    def record_wait(self, wait: Wait) -> None:
        """Keep one finished wait."""
        self._waits.append(wait)
        if wait.is_cancelled:
            return
        self._weights[wait.number] = self._weights.get(wait.cause, 0.0) + wait.seconds

    def choose_cause(self, *causes: int) -> int:
        """Return the one of several causes that has the heaviest chain behind it."""
        return max(causes, key=lambda number: self._weights.get(number, 0.0), default=0)

    def follow(self, *causes: int) -> None:
        """Let what this task does next follow from these, too."""
        CAUSE.set(self.choose_cause(CAUSE.get(), *causes))

    def note_seen(self, *causes: int) -> None:
        """Note that somebody outside, the orchestrator, reads what these caused."""
        self._seen = self.choose_cause(self._seen, *causes)

    def follow_seen(self) -> None:
        """Let what this task does next follow from all that was seen: the orchestrator acts."""
        CAUSE.set(self._seen)

    @property
    def acts(self) -> Mapping[str, int]:
        """How often each act happened."""
        return dict(self._acts)

    @property
    def waits(self) -> Sequence[Wait]:
        """Every wait so far, in the order in which they ended."""
        return tuple(self._waits)


def find_longest_chain(waits: Sequence[Wait]) -> tuple[Wait, ...]:
    """Find the heaviest chain of waits in which each caused the next, first cause first.

    It is the lower bound that `invoke bench` compares a run's time with.
    """
    held = {wait.number: wait for wait in waits if not wait.is_cancelled}
    weights: dict[int, float] = {}
    # A wait's cause began and ended before it, so numbers, given at the beginning, are in order.
    for number in sorted(held):
        weights[number] = weights.get(held[number].cause, 0.0) + held[number].seconds
    chain: list[Wait] = []
    number = max(weights, key=weights.__getitem__, default=0)
    while number in held:
        chain.append(held[number])
        number = held[number].cause
    return tuple(reversed(chain))

"""What the lab remembers of a rehearsal: waits, and acts that must happen exactly once."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Ledger", "Wait", "find_longest_chain"]


@dataclass(frozen=True, slots=True)
class Wait:
    """One simulated wait; times are simulated seconds since the lab's start."""

    what: str
    begun_s: float
    ended_s: float

    @property
    def seconds(self) -> float:
        """Length of the wait in simulated seconds."""
        return self.ended_s - self.begun_s


class Ledger:
    """Counts acts and keeps every wait, for proofs and for the critical path."""

    def __init__(self) -> None:
        self._acts: Counter[str] = Counter()
        self._waits: list[Wait] = []

    def count(self, act: str) -> None:
        """Note that `act` (for example `etcd.bootstrap`) happened once more."""
        self._acts[act] += 1

    def record_wait(self, what: str, begun_s: float, ended_s: float) -> None:
        """Keep one finished wait."""
        self._waits.append(Wait(what, begun_s, ended_s))

    @property
    def acts(self) -> Mapping[str, int]:
        """How often each act happened."""
        return dict(self._acts)

    @property
    def waits(self) -> Sequence[Wait]:
        """Every wait so far, in the order in which they ended."""
        return tuple(self._waits)


def find_longest_chain(waits: Sequence[Wait]) -> tuple[Wait, ...]:
    """Find the heaviest sequence of waits in which each begins after the one before it ended.

    No run can be faster than such a chain, since none of its parts overlap: it is the lower
    bound that `invoke bench` compares a run's time with (weighted interval scheduling).
    """
    ordered = sorted(waits, key=lambda wait: wait.ended_s)
    ends = [wait.ended_s for wait in ordered]
    best: list[tuple[float, int]] = [(0.0, -1)]
    for index, wait in enumerate(ordered):
        before = bisect_right(ends, wait.begun_s, 0, index)
        with_it = best[before][0] + wait.seconds
        best.append((with_it, index) if with_it > best[index][0] else (best[index][0], -1))
    return tuple(_walk_back(ordered, ends, best))


def _walk_back(
    ordered: Sequence[Wait], ends: Sequence[float], best: Sequence[tuple[float, int]]
) -> list[Wait]:
    chain: list[Wait] = []
    position = len(ordered)
    while position > 0:
        index = best[position][1]
        if index < 0:
            position -= 1
            continue
        chain.append(ordered[index])
        position = bisect_right(ends, ordered[index].begun_s, 0, index)
    return chain[::-1]

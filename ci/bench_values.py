"""The arithmetic of the benchmark: what was measured of one rehearsal, and what follows from it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

__all__ = ["Chain", "Link", "Pass", "Rehearsal", "describe_spread", "find_first", "read_chain"]


@dataclass(frozen=True, slots=True)
class Link:
    """One wait of the critical path; `wall_s` is how long it took, or must have, on the wall."""

    what: str
    wall_s: float
    is_work: bool  # real work of a tool, measured; otherwise a simulated wait


@dataclass(frozen=True, slots=True)
class Chain:
    """The lab's critical path: the heaviest chain of waits in which each caused the next."""

    links: tuple[Link, ...]

    @property
    def wall_s(self) -> float:
        """Wall seconds that no run can go below."""
        return sum(link.wall_s for link in self.links)

    @property
    def work_s(self) -> float:
        """The part of them that tools took: helm, kustomize, git."""
        return sum(link.wall_s for link in self.links if link.is_work)


@dataclass(frozen=True, slots=True)
class Pass:
    """One invocation: wall seconds from its start, processor seconds of it and its children."""

    wall_s: float
    ready_s: float  # until the lab stood; 0 when it stood before
    first_probe_s: float
    cpu_s: float
    peak_kib: int  # of the process itself, children left out

    @property
    def run_s(self) -> float:
        """The run without the making of its world."""
        return self.wall_s - self.ready_s


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A bootstrap in a fresh lab, and the same command once more."""

    name: str
    speed: float
    first: Pass
    again: Pass
    chain: Chain
    lab_cpu_s: float  # of the lab and its tools, from its start to the end of the first pass
    lab_peak_kib: int
    load: float  # one-minute load average when it began

    @property
    def ratio(self) -> float:
        """Run time over critical path; 1.0 is a run that waits for nothing but its world."""
        return self.first.run_s / self.chain.wall_s if self.chain.wall_s else float("inf")

    @property
    def ratio_in_life(self) -> float:
        """What the ratio would be at speed 1: waits take longer there, the run's own work not."""
        waits_s = (self.chain.wall_s - self.chain.work_s) * self.speed
        path_s = waits_s + self.chain.work_s
        own_s = self.first.run_s - self.chain.wall_s
        return (path_s + own_s) / path_s if path_s else float("inf")

    @property
    def cores(self) -> float:
        """Processor cores that run and lab kept busy on average."""
        return (self.first.cpu_s + self.lab_cpu_s) / self.first.wall_s


def read_chain(ledger: Mapping[str, object]) -> Chain:
    """Read the critical path out of the lab's answer to `{"do": "ledger"}`.

    Raises:
        TypeError: it is no such answer.
    """
    speed, chain = ledger.get("speed"), ledger.get("chain")
    if not isinstance(speed, int | float) or not isinstance(chain, list):
        raise TypeError(f"not a ledger: `{json.dumps(ledger)[:80]}`")
    return Chain(tuple(_read_link(wait, float(speed)) for wait in chain))


def _read_link(wait: Mapping[str, object], speed: float) -> Link:
    seconds = wait["seconds"]
    if not isinstance(seconds, int | float):
        raise TypeError(f"wait without seconds: `{wait['what']}`")
    return Link(str(wait["what"]), float(seconds) / speed, bool(wait["is_work"]))


def find_first(lines: Iterable[str], event: str) -> datetime | None:
    """Find when an event came first in the log of a run; None when it never did."""
    for line in lines:
        entry = json.loads(line)
        if entry.get("event") == event:
            return datetime.fromisoformat(entry["at"])
    return None


def describe_spread(values: Sequence[float], unit: str = "s") -> str:
    """Write the median of some runs, and the range when there were several."""
    middle = f"{median(values):.2f} {unit}".strip()
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):.2f} to {max(values):.2f})"

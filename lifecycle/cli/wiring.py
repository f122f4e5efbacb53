"""The seam between the frame of a run and what the run is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field

from lifecycle.cli.place import Site
from lifecycle.clock import Clock
from lifecycle.engine import Listener, Plan
from lifecycle.errors import ClusterLockedError
from lifecycle.secrets import Redactor

__all__ = ["Hold", "Inputs", "Prepare", "Prepared"]


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that a run is made from.

    `listener` hears of commands and requests; `was_attempted` is the journal's memory of acts;
    `run` is its id of the run, empty for a plan.
    """

    site: Site
    accepted: frozenset[str]
    consented_disks: frozenset[str]
    redactor: Redactor
    listener: Listener
    was_attempted: Callable[[str], bool] = lambda _: False
    run: str = ""


Hold = Callable[[Callable[[ClusterLockedError], None]], AbstractAsyncContextManager[None]]


def _hold_nothing(_: Callable[[ClusterLockedError], None]) -> AbstractAsyncContextManager[None]:
    return nullcontext()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan that can be probed and run; `notes` are told beside the result.

    `hold` keeps the cluster's lock while the run lasts, and tells when another run took it.
    """

    plan: Plan
    clock: Clock
    notes: Sequence[str] = field(default_factory=tuple)
    hold: Hold = _hold_nothing


Prepare = Callable[[Inputs], AbstractAsyncContextManager[Prepared]]

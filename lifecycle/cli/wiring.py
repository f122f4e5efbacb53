"""The seam between the frame of a run and what the run is made of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lifecycle.cli.place import Site
from lifecycle.clock import Clock
from lifecycle.engine import Listener, Plan
from lifecycle.errors import ClusterLockedError
from lifecycle.secrets import Redactor

if TYPE_CHECKING:
    from lifecycle.diagnosis import Diagnosis

__all__ = ["Diagnose", "Hold", "Inputs", "Prepare", "Prepared"]


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


# Finds the first causes of a step's failure, by its journal key and what its error said.
Diagnose = Callable[[str, str], Awaitable["tuple[Diagnosis, ...]"]]


async def _find_nothing(_step: str, _seen: str) -> tuple[Diagnosis, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan that can be probed and run; `notes` are told beside the result.

    `hold` keeps the cluster's lock while the run lasts, and tells when another run took it;
    `diagnose` says why a step failed.
    """

    plan: Plan
    clock: Clock
    notes: Sequence[str] = field(default_factory=tuple)
    hold: Hold = _hold_nothing
    diagnose: Diagnose = _find_nothing


Prepare = Callable[[Inputs], AbstractAsyncContextManager[Prepared]]

"""The seam between the frame of a run and what the run is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from lifecycle.cli.place import Site
from lifecycle.clock import Clock
from lifecycle.engine import Listener, Plan
from lifecycle.secrets import Redactor

__all__ = ["Inputs", "Prepare", "Prepared"]


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that a run is made from.

    `listener` hears of commands and requests; `was_attempted` is the journal's memory of acts.
    """

    site: Site
    accepted: frozenset[str]
    consented_disks: frozenset[str]
    redactor: Redactor
    listener: Listener
    was_attempted: Callable[[str], bool] = lambda _: False


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan that can be probed and run; `notes` are told beside the result."""

    plan: Plan
    clock: Clock
    notes: Sequence[str] = field(default_factory=tuple)


Prepare = Callable[[Inputs], AbstractAsyncContextManager[Prepared]]

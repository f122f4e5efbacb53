"""Steps and gates: what the runner knows of them, and nothing more.

A step has `name`, `title`, `after`, `probe` and `apply`; a gate is a step without `apply`.
Everything else is an optional ability, found by `isinstance` on the small protocols below.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, runtime_checkable

from lifecycle.engine.answers import Answer

__all__ = [
    "Gate",
    "HasHint",
    "HasLane",
    "HasNews",
    "HasPatience",
    "HasWarning",
    "IsLocal",
    "Node",
    "Once",
    "Patience",
    "Step",
    "Undoable",
]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for an effect, measured in progress.

    `stall` is how long nothing may change in what the probe sees; slow but moving is not a
    stall. `deadline` bounds everything. `poll` is the pause between two probes.
    """

    stall: timedelta = timedelta(minutes=5)
    deadline: timedelta = timedelta(minutes=30)
    poll: timedelta = timedelta(seconds=3)


class Node(Protocol):
    """What a step and a gate have in common: a place in the plan, and a probe."""

    @property
    def name(self) -> str:
        """Kebab-case, stable, the journal key; a `/` separates the object it is about."""
        ...

    @property
    def title(self) -> str:
        """Imperative sentence for people."""
        ...

    @property
    def after(self) -> tuple[str, ...]:
        """Names of the steps and gates that come before."""
        ...

    async def probe(self) -> Answer:
        """Look at the world and say whether it is as wanted. Changes nothing, ever."""
        ...


class Gate(Node, Protocol):
    """A condition that must become true, without changing anything."""


@runtime_checkable
class Step(Protocol):
    """One change: probe, apply, probe again."""

    @property
    def name(self) -> str:
        """Kebab-case, stable, the journal key."""
        ...

    @property
    def title(self) -> str:
        """Imperative sentence for people."""
        ...

    @property
    def after(self) -> tuple[str, ...]:
        """Names of the steps and gates that come before."""
        ...

    async def probe(self) -> Answer:
        """Look at the world and say whether the change is still needed."""
        ...

    async def apply(self) -> None:
        """Make the change; safe to repeat unless the step is marked `Once`."""
        ...


@runtime_checkable
class HasPatience(Protocol):
    """Ability: wait longer or shorter than the usual."""

    @property
    def patience(self) -> Patience:
        """How long the runner waits for the effect."""
        ...


@runtime_checkable
class HasHint(Protocol):
    """Ability: say what to look at when the wait for this node ends in vain."""

    @property
    def hint(self) -> str:
        """The command to run next, or where to look; or empty."""
        ...


@runtime_checkable
class HasNews(Protocol):
    """Ability: notice that another probe may see something else, sooner than polling would.

    Polling goes on beside it, slower, so that missed news delays and never deceives.
    """

    async def wait_for_news(self) -> None:
        """Return when what the last probe looked at may have changed; need not ever return."""
        ...


@runtime_checkable
class HasLane(Protocol):
    """Ability: at most N steps of a lane run at the same time; the run states N."""

    @property
    def lane(self) -> str:
        """Name of the lane, for example `control-planes`."""
        ...


@runtime_checkable
class HasWarning(Protocol):
    """Ability: say before the confirmation what cannot be undone, or what data is at risk."""

    @property
    def warning(self) -> str:
        """One sentence, or empty."""
        ...


@runtime_checkable
class IsLocal(Protocol):
    """Ability: the act changes nothing but this machine's own files.

    A refusal that follows such an act is still one before any change.
    """

    @property
    def is_local(self) -> bool:
        """Always true; the property is the mark."""
        ...


@runtime_checkable
class Once(Protocol):
    """Ability: must never happen twice; intent is journaled before the act and proof after."""

    async def has_happened(self) -> Answer:
        """Decide from the world after an intent without a proof.

        `Satisfied`: it happened; `Needed`: certainly not; anything else: stop and let a person
        look, since the world cannot tell.
        """
        ...


@runtime_checkable
class Undoable(Protocol):
    """Ability: something to undo when the run is interrupted (uncordon)."""

    async def undo(self) -> None:
        """Put back what must not stay as it is; safe to call when there is nothing."""
        ...

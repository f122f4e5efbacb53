"""Gate: this run holds the cluster's Lease."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lifecycle.engine import Answer, Needed, Patience, Satisfied, Unknown
from lifecycle.world import World
from lifecycle.world.lease import Doubtful, Free, Held, Taken, Unseen

__all__ = ["LeaseIsHeld"]


@dataclass(frozen=True, slots=True)
class LeaseIsHeld:
    """No other run, on whatever machine, changes this cluster at the same time.

    The run keeps the Lease beside its steps; this gate only waits for it. Where nobody keeps it
    (a plan), a free one is as good as held.
    """

    world: World
    after: tuple[str, ...] = ()
    name: str = "lease-is-held"
    title: str = "Hold the cluster's lease"
    patience: Patience = Patience(
        stall=timedelta(minutes=5), deadline=timedelta(minutes=10), poll=timedelta(seconds=0.5)
    )

    async def probe(self) -> Answer:
        """Say who holds it.

        Raises:
            ClusterLockedError: another run does, and is alive.
        """
        lease = self.world.lease
        match await lease.look():
            case Held():
                return Satisfied("held by this run")
            case Free(why):
                return Needed(f"free: {why}") if lease.is_kept else Satisfied(f"free: {why}")
            case Doubtful(holder, since):
                text = f"{holder} has not renewed it since {since:%Y-%m-%dT%H:%M:%SZ}"
                return Needed(f"watched: {text}") if lease.is_kept else Satisfied(f"over: {text}")
            case Taken(error):
                raise error
            case Unseen(reason):
                return Unknown(reason)

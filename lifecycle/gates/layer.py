"""Gate: a layer is ready: Kustomizations, HelmReleases and workloads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from inventory import Component
from lifecycle.engine import Answer, Blocked, Needed, Patience, Satisfied
from lifecycle.world import World
from lifecycle.world.flux_status import Readiness, State
from lifecycle.world.later import find_left_for_later
from lifecycle.world.layers import LayerScope
from lifecycle.world.snapshot import Snapshot, take_snapshot

__all__ = ["LayerIsReady"]

_SHOWN = 3  # waiting components that fit into a line of the live table


@dataclass(frozen=True, slots=True)
class LayerIsReady:
    """Everything that may be ready by now is; what cannot be yet is named and left for later.

    Left for later is what depends on a component of a later layer, a release whose LoadBalancer
    service waits for an address pool that a later layer brings, one whose pods wait for a Secret
    that cert-manager or External Secrets make once their layer has come, and what depends on
    either. Patience is long, since real releases set timeouts of 20 minutes; what Flux gave up on
    ends the wait at once.
    """

    world: World
    scope: LayerScope
    deferrable: bool
    after: tuple[str, ...] = ()
    patience: Patience = Patience(stall=timedelta(minutes=25), deadline=timedelta(hours=2))

    @property
    def name(self) -> str:
        """Journal key."""
        return f"layer-is-ready/{self.scope.layer.name}"

    @property
    def title(self) -> str:
        """For people."""
        return f"Wait for layer {self.scope.layer.name}"

    async def probe(self) -> Answer:
        """Judge every awaited component by one look at the cluster."""
        mirror = self.world.access.mirror
        mirror.note_look(self.name)
        snapshot = await take_snapshot(mirror)
        commit = self.world.repository.commit
        judged = {c.name: (c, snapshot.judge(c, commit=commit)) for c in self.scope.awaited}
        waiting = {name: pair for name, pair in judged.items() if not pair[1].is_ready}
        left = self._find_left([component for component, _ in waiting.values()], snapshot)
        failed = {
            name: readiness
            for name, (_, readiness) in waiting.items()
            if readiness.state is State.FAILED and name not in left
        }
        if failed:
            return _describe_failure(failed)
        counts = Counter(name in waiting for name in judged)
        if counts[True] > len(left):
            return Needed(_describe_waiting(len(judged), waiting, left))
        later = f"; left for later: {', '.join(left)}" if left else ""
        return Satisfied(f"{counts[False]} of {len(judged)} ready{later}")

    async def wait_for_news(self) -> None:
        """Return when the API has something new."""
        await self.world.access.mirror.wait_for_news(self.name)

    def _find_left(self, unready: Sequence[Component], snapshot: Snapshot) -> tuple[str, ...]:
        """Name what a later layer may still help; the last one has none after it."""
        if not self.deferrable:
            return ()
        return find_left_for_later(self.world.inventory, unready, snapshot)


def _describe_failure(failed: dict[str, Readiness]) -> Blocked:
    name, readiness = next(iter(failed.items()))
    more = (
        f" (and {len(failed) - 1} more: {', '.join(list(failed)[1:])})" if len(failed) > 1 else ""
    )
    return Blocked(
        f"component failed: `{name}`: {readiness.message}{more}",
        f"see flux events --for Kustomization/{name}; repair it in Git and run again, "
        f"or go on without it: --accept {name}",
    )


def _describe_waiting(
    total: int, waiting: dict[str, tuple[Component, Readiness]], left: Collection[str]
) -> str:
    shown = [f"{n}: {r.message}" for n, (_, r) in waiting.items() if n not in left]
    more = f"; and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return f"{total - len(waiting)} of {total} ready; {'; '.join(shown[:_SHOWN])}{more}"

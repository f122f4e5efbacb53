"""Gate: every source that is used and was applied has an artifact."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from inventory import Source
from lifecycle.drivers.documents import text_at
from lifecycle.drivers.kubernetes import ObjectRef
from lifecycle.engine import Answer, Blocked, Needed, Patience, Satisfied
from lifecycle.world import World
from lifecycle.world.flux_status import State, read_source
from lifecycle.world.source_secrets import find_held, find_needed, list_secrets

__all__ = ["SourcesAreReady"]

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class SourcesAreReady:
    """Asked before the layers: a source that cannot be had names itself here, not as a timeout.

    Sources that a component brings itself come with it, and are waited for with its releases; so
    are those that sign in with a Secret which a component brings, or which is made in the cluster.
    """

    world: World
    after: tuple[str, ...] = ()
    name: str = "sources-are-ready"
    title: str = "Wait for sources"
    patience: Patience = Patience(stall=timedelta(minutes=10), deadline=timedelta(minutes=30))

    async def probe(self) -> Answer:
        """Read every used source; those of accepted components are left out."""
        mirror = self.world.access.mirror
        mirror.note_look(self.name)
        wanted = self._wanted()
        kinds = sorted({(text_at(source.raw, "apiVersion"), source.kind) for source in wanted})
        found = await asyncio.gather(*(mirror.list(*kind) for kind in kinds))
        live = {item.ref: item for items in found for item in items}
        waiting: list[str] = []
        for source in wanted:
            ref = ObjectRef(
                text_at(source.raw, "apiVersion"), source.kind, source.name, source.namespace
            )
            readiness = read_source(live.get(ref))
            if readiness.state is State.FAILED:
                hint = f"correct {source.position}; see flux events --for {ref.kind}/{ref.name}"
                return Blocked(f"source failed: {ref}: {readiness.message}", hint)
            if not readiness.is_ready:
                waiting.append(f"{source.name}: {readiness.message}")
        good = len(wanted) - len(waiting)
        if waiting:
            return Needed(f"{good} of {len(wanted)} ready; {'; '.join(waiting[:_SHOWN])}")
        return Satisfied(f"{good} of {len(wanted)} ready")

    async def wait_for_news(self) -> None:
        """Return when the API has something new."""
        await self.world.access.mirror.wait_for_news(self.name)

    def _wanted(self) -> list[Source]:
        accepted = self.world.options.accepted
        users = [r.source for r in self.world.inventory.releases if r.component not in accepted]
        users += [c.source for c in self.world.inventory.components if c.name not in accepted]
        entries = {entry.name for entry in self.world.inventory.entries}
        placed = find_needed(self.world) | find_held(self.world)
        return [
            source
            for source in self.world.inventory.sources
            if source.component in entries
            and source.key in set(users)
            and not source.suspend
            and list_secrets(source) <= placed
        ]

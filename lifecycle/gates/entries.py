"""Gate: the entries have applied this commit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lifecycle.engine import Answer, Blocked, Needed, Patience, Satisfied
from lifecycle.world import World
from lifecycle.world.flux_status import State, read_kustomization

__all__ = ["EntriesAreReady"]


@dataclass(frozen=True, slots=True)
class EntriesAreReady:
    """Flux has taken over: each entry is Ready at the commit that this run reads."""

    world: World
    after: tuple[str, ...] = ()
    name: str = "entries-are-ready"
    title: str = "Wait for Flux' entries"
    patience: Patience = Patience(stall=timedelta(minutes=15), deadline=timedelta(hours=1))

    async def probe(self) -> Answer:
        """Read each entry's status."""
        mirror = self.world.access.mirror
        mirror.note_look(self.name)
        listed = await mirror.list("kustomize.toolkit.fluxcd.io/v1", "Kustomization")
        live = {(item.namespace, item.name): item for item in listed}
        waiting: list[str] = []
        entries = self.world.inventory.entries
        for entry in entries:
            commit = self.world.repository.commit
            readiness = read_kustomization(live.get((entry.namespace, entry.name)), commit=commit)
            if readiness.state is State.FAILED:
                hint = f"see flux events --for Kustomization/{entry.name}"
                return Blocked(f"entry failed: `{entry.name}`: {readiness.message}", hint)
            if not readiness.is_ready:
                waiting.append(f"{entry.name}: {readiness.message}")
        if waiting:
            return Needed("; ".join(waiting))
        return Satisfied(f"{len(entries)} entries ready")

    async def wait_for_news(self) -> None:
        """Return when the API has something new."""
        await self.world.access.mirror.wait_for_news(self.name)

"""Gate: the entries have applied this commit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lifecycle.drivers.kubernetes import ObjectRef
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
        api = await self.world.access.api()
        waiting: list[str] = []
        entries = self.world.inventory.entries
        for entry in entries:
            ref = ObjectRef(
                "kustomize.toolkit.fluxcd.io/v1", "Kustomization", entry.name, entry.namespace
            )
            commit = self.world.repository.commit
            readiness = read_kustomization(await api.find(ref), commit=commit)
            if readiness.state is State.FAILED:
                hint = f"see flux events --for Kustomization/{entry.name}"
                return Blocked(f"entry failed: `{entry.name}`: {readiness.message}", hint)
            if not readiness.is_ready:
                waiting.append(f"{entry.name}: {readiness.message}")
        if waiting:
            return Needed("; ".join(waiting))
        return Satisfied(f"{len(entries)} entries ready")

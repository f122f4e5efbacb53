"""Step: hand the cluster over to Flux' entries."""

from __future__ import annotations

from dataclasses import dataclass

from lifecycle.drivers.documents import JsonObject
from lifecycle.engine import Answer, Needed, Satisfied
from lifecycle.world import World
from lifecycle.world.objects import apply_all, find_differing

__all__ = ["HandOver"]


@dataclass(frozen=True, slots=True)
class HandOver:
    """Apply the entries: from here on Flux keeps what this run applied.

    Comes after every layer, so that the entry's build meets all its kinds and finds every object
    as it would apply it. Safe to repeat: server-side apply.
    """

    world: World
    after: tuple[str, ...] = ()
    name: str = "hand-over"
    title: str = "Hand over to Flux' entries"

    async def probe(self) -> Answer:
        """Every entry exists."""
        documents = self._documents()
        missing = await find_differing(self.world.access, documents)
        if missing:
            return Needed(f"missing: {', '.join(missing)}")
        return Satisfied(", ".join(entry.name for entry in self.world.inventory.entries))

    async def apply(self) -> None:
        """Apply the entries."""
        await apply_all(self.world, self._documents())

    def _documents(self) -> list[JsonObject]:
        entries = self.world.inventory.entries
        return [entry.raw for entry in entries if not entry.is_synthetic]

"""Step: give Flux the deploy key of its Git repository, and what else its sources sign in with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lifecycle.drivers.documents import JsonObject
from lifecycle.engine import Answer, Blocked, Needed, Satisfied
from lifecycle.world import World
from lifecycle.world.objects import apply_all, find_differing
from lifecycle.world.source_secrets import find_needed, list_secrets

__all__ = ["PlaceDeployKey"]


@dataclass(frozen=True, slots=True)
class PlaceDeployKey:
    """The Secrets that live sources name, as the repository holds them, decrypted in memory.

    The one of the entries' own source must be there; others are placed where the entries apply
    them themselves, and are left to the component that brings them otherwise. Safe to repeat:
    server-side apply.
    """

    world: World
    after: tuple[str, ...] = ()
    name: str = "place-deploy-key"
    title: str = "Place the deploy key"

    async def probe(self) -> Answer:
        """Compare the Secrets' data."""
        documents = self._choose(self.world.builds.expected())
        lacking = find_needed(self.world) - {(ns, name) for ns, name, _ in documents}
        missing = await find_differing(
            self.world.access, [document for _, _, document in documents]
        )
        if missing:
            return Needed(f"missing or different: {', '.join(missing)}")
        if lacking:
            names = ", ".join(f"{namespace}/{name}" for namespace, name in sorted(lacking))
            return Blocked(
                f"source needs a Secret that the repository does not hold: `{names}`",
                "add it, encrypted, beside the cluster's settings",
            )
        return Satisfied(f"{len(documents)} Secret(s) in place")

    async def apply(self) -> None:
        """Apply the Secrets."""
        chosen = self._choose(await self.world.builds.objects())
        documents = [document for _, _, document in chosen]
        await apply_all(self.world, documents)

    def _choose(self, documents: Iterable[JsonObject]) -> list[tuple[str, str, JsonObject]]:
        names = list_secrets(*self.world.inventory.sources)
        return self.world.builds.find(documents, "Secret", names)

"""Step: give Flux the variables that it substitutes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lifecycle.drivers.documents import JsonObject
from lifecycle.engine import Answer, Needed, Satisfied
from lifecycle.world import World
from lifecycle.world.objects import apply_all, find_differing

__all__ = ["PlaceClusterVariables"]


@dataclass(frozen=True, slots=True)
class PlaceClusterVariables:
    """The ConfigMaps and Secrets that any live Kustomization substitutes from.

    They lie in the very build that needs them, so on an empty cluster Flux could never apply
    it. Safe to repeat: server-side apply of what the entry's own build says.
    """

    world: World
    after: tuple[str, ...] = ()
    name: str = "place-cluster-variables"
    title: str = "Place the cluster's variables"

    async def probe(self) -> Answer:
        """Compare the objects' data."""
        documents = self._choose(self.world.builds.expected())
        missing = await find_differing(self.world.access, documents)
        if missing:
            return Needed(f"missing or different: {', '.join(missing)}")
        return Satisfied(f"{len(documents)} object(s) in place")

    async def apply(self) -> None:
        """Apply them."""
        documents = self._choose(await self.world.builds.objects())
        await apply_all(self.world, documents)

    def _choose(self, objects: Sequence[JsonObject]) -> list[JsonObject]:
        documents: list[JsonObject] = []
        for kind in ("ConfigMap", "Secret"):
            wanted = {
                (source.namespace, source.name)
                for component in self.world.inventory.components
                for source in component.substitute_from
                if source.kind == kind
            }
            wanted |= {
                (item.namespace, item.name)
                for entry in self.world.inventory.entries
                for item in entry.substitute_from
                if item.kind == kind
            }
            found = self.world.builds.find(objects, kind, wanted)
            documents += [document for _, _, document in found]
        return documents

"""Step: apply a layer exactly as the entry would."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from inventory import Layer
from lifecycle.drivers.documents import JsonObject, object_at, text_at
from lifecycle.engine import Answer, Needed, Satisfied
from lifecycle.world import World
from lifecycle.world.layers import find_upgraders
from lifecycle.world.objects import apply_all, describe_missing, find_differing

__all__ = ["ApplyLayer"]


@dataclass(frozen=True, slots=True)
class ApplyLayer:
    """The layer's part of the entry's own build, with the entry's patches and variables.

    Kustomizations that would let an upgrade controller change nodes are applied suspended, and
    released at the end of the run. Safe to repeat: server-side apply; the entry applies the same
    objects when it takes over.
    """

    world: World
    layer: Layer
    after: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Journal key."""
        return f"apply-layer/{self.layer.name}"

    @property
    def title(self) -> str:
        """For people."""
        return f"Apply layer {self.layer.name}"

    async def probe(self) -> Answer:
        """Every object of the layer exists."""
        documents = self._choose(self.world.builds.expected())
        missing = await find_differing(self.world.access, documents)
        if missing:
            return Needed(describe_missing(missing, len(documents)))
        return Satisfied(f"{len(documents)} objects in place")

    async def apply(self) -> None:
        """Apply the layer."""
        documents = self._choose(await self.world.builds.objects())
        await apply_all(self.world, documents)

    def _choose(self, documents: Iterable[JsonObject]) -> list[JsonObject]:
        held = {(c.namespace, c.name) for c in find_upgraders(self.world.inventory)}
        chosen = self.world.builds.layer(documents, self.layer)
        return [_suspend(document, held) for document in chosen]


def _suspend(document: JsonObject, held: set[tuple[str, str]]) -> JsonObject:
    key = (text_at(document, "metadata", "namespace"), text_at(document, "metadata", "name"))
    is_flux = text_at(document, "apiVersion").startswith("kustomize.toolkit.fluxcd.io/")
    if not is_flux or key not in held:
        return document
    return {**document, "spec": {**object_at(document, "spec"), "suspend": True}}

"""Step: give Flux the age key."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from lifecycle.drivers.documents import JsonObject, text_at
from lifecycle.engine import Answer, Needed, Satisfied
from lifecycle.world import World
from lifecycle.world.objects import apply_all, find_differing

__all__ = ["PlaceAgeSecret"]


@dataclass(frozen=True, slots=True)
class PlaceAgeSecret:
    """The Secret that the entries name for decryption, before Flux first needs it.

    Safe to repeat: server-side apply; the key goes from memory to the API, never to a file.
    """

    world: World
    after: tuple[str, ...] = ()
    name: str = "place-age-secret"
    title: str = "Place the SOPS age key"

    async def probe(self) -> Answer:
        """Compare the Secrets' data."""
        documents = self._documents()
        missing = await find_differing(self.world.access, documents)
        if missing:
            return Needed(f"missing or different: {', '.join(missing)}")
        return Satisfied(f"{len(documents)} Secret(s) hold the key")

    async def apply(self) -> None:
        """Apply the Secrets."""
        await apply_all(self.world, self._documents())

    def _documents(self) -> list[JsonObject]:
        key = base64.b64encode(self.world.repository.age_key.reveal()).decode()
        inventory = self.world.inventory
        decrypting = [(entry.namespace, entry.raw) for entry in inventory.entries]
        decrypting += [(component.namespace, component.raw) for component in inventory.components]
        names = {
            (namespace, text_at(raw, "spec", "decryption", "secretRef", "name"))
            for namespace, raw in decrypting
        }
        return [
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name, "namespace": namespace},
                "type": "Opaque",
                # Flux takes every key that ends in `.agekey` (kustomize-controller, decryptor.go).
                "data": {"age.agekey": key},
            }
            for namespace, name in sorted(names)
            if name
        ]

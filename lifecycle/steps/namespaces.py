"""Step: create every namespace that something live is put into."""

from __future__ import annotations

from dataclasses import dataclass

from lifecycle.drivers.documents import JsonObject
from lifecycle.engine import Answer, Needed, Satisfied
from lifecycle.world import World
from lifecycle.world.objects import apply_all, describe_missing, find_differing

__all__ = ["CreateNamespaces"]


@dataclass(frozen=True, slots=True)
class CreateNamespaces:
    """Declared namespaces as declared, and those that no manifest declares, too.

    Real repositories put HelmReleases into namespaces that nobody creates, which works only on a
    cluster that grew (facts: cluster-repos.md §0.9). Safe to repeat: server-side apply.
    """

    world: World
    after: tuple[str, ...] = ()
    name: str = "create-namespaces"
    title: str = "Create namespaces"

    async def probe(self) -> Answer:
        """List the cluster's namespaces."""
        documents = self._documents()
        missing = await find_differing(self.world.access, documents)
        if missing:
            return Needed(describe_missing(missing, len(documents)))
        return Satisfied(f"{len(documents)} namespaces")

    async def apply(self) -> None:
        """Apply all of them."""
        await apply_all(await self.world.access.api(), self._documents())

    def _documents(self) -> list[JsonObject]:
        declared: dict[str, JsonObject] = {}
        used: set[str] = set()
        for _, item in self.world.inventory.objects():
            if item.kind == "Namespace":
                declared[item.name] = _make_namespace(_metadata_of(item.name, item.raw))
            elif item.namespace:
                used.add(item.namespace)
        used |= {component.target_namespace for component in self.world.inventory.components}
        used -= {"", *declared}
        bare = (_make_namespace({"name": name}) for name in sorted(used))
        return [*declared.values(), *bare]


def _make_namespace(metadata: JsonObject) -> JsonObject:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _metadata_of(name: str, raw: JsonObject) -> JsonObject:
    metadata = raw.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    return {"name": name, "labels": labels} if isinstance(labels, dict) else {"name": name}

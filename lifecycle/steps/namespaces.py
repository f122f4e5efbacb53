"""Step: create every namespace that something live is put into."""

from __future__ import annotations

from dataclasses import dataclass

from lifecycle.engine import Answer, Needed, Satisfied
from lifecycle.world import World
from lifecycle.world.namespaces import find_namespaces
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
        documents = find_namespaces(self.world.inventory)
        missing = await find_differing(self.world.access, documents)
        if missing:
            return Needed(describe_missing(missing, len(documents)))
        return Satisfied(f"{len(documents)} namespaces")

    async def apply(self) -> None:
        """Apply all of them."""
        documents = find_namespaces(self.world.inventory)
        await apply_all(self.world, documents)

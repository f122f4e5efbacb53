"""Step: apply the sources that everything live is made from."""

from __future__ import annotations

from dataclasses import dataclass

from lifecycle.engine import Answer, Needed, Satisfied
from lifecycle.world import World
from lifecycle.world.objects import apply_all, describe_missing, find_differing

__all__ = ["ApplySources"]


@dataclass(frozen=True, slots=True)
class ApplySources:
    """Every source that an entry's own build holds, before the first layer needs one.

    In real repositories nothing inside the tree applies `repositories/` (facts:
    cluster-repos.md §0.13). Safe to repeat: server-side apply.
    """

    world: World
    after: tuple[str, ...] = ()
    name: str = "apply-sources"
    title: str = "Apply sources"

    async def probe(self) -> Answer:
        """Every source exists."""
        documents = self.world.builds.sources(self.world.builds.expected())
        missing = await find_differing(self.world.access, documents)
        if missing:
            return Needed(describe_missing(missing, len(documents)))
        return Satisfied(f"{len(documents)} sources in place")

    async def apply(self) -> None:
        """Apply them."""
        documents = self.world.builds.sources(await self.world.builds.objects())
        await apply_all(self.world, documents)

"""Gate: every live release's chart can be had."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from inventory import Release
from lifecycle.drivers.charts import ChartMissingError
from lifecycle.engine import Answer, Blocked, Satisfied
from lifecycle.errors import InventoryError
from lifecycle.world import World

__all__ = ["ChartsAreThere"]

_AT_ONCE = 4
_SHOWN = 4


@dataclass(frozen=True, slots=True)
class ChartsAreThere:
    """In a chart folder, in the cache, or at its source, and whole: found out before any change."""

    world: World
    after: tuple[str, ...] = ()
    name: str = "charts-are-there"
    title: str = "Check that every chart can be had"

    async def probe(self) -> Answer:
        """Look for each; those of accepted components are left out."""
        releases = [
            release
            for release in self.world.inventory.releases
            if not self.world.options.accepts(release)
            and not release.suspend
            and release.chart  # without a source there is none; the repository's gate says so
        ]
        limit = asyncio.Semaphore(_AT_ONCE)

        async def look(release: Release) -> ChartMissingError | InventoryError | None:
            async with limit:
                try:
                    await self.world.charts.check_archive(release)
                except (ChartMissingError, InventoryError) as error:
                    return error
                return None

        answers = await asyncio.gather(*(look(release) for release in releases))
        missing = [(r, e) for r, e in zip(releases, answers, strict=True) if e is not None]
        if missing:
            lines = [f"{r.position}: {e.message}" for r, e in missing[:_SHOWN]]
            more = f"\nand {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
            hint = f"{missing[0][1].hint}; or go on without it: --accept {missing[0][0].component}"
            return Blocked("\n".join(lines) + more, hint)
        return Satisfied(f"{len(releases)} charts")

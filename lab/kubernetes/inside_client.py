"""The in-process client of somebody who runs in the cluster, and suffers when the API does."""

from __future__ import annotations

from lab.kubernetes.api import Api
from lab.kubernetes.client import KubernetesClient
from lab.kubernetes.inside import Inside, Insider, Verb

__all__ = ["InsideClient"]

# What Flux' controllers read from their informers; they ask the API server for everything else.
_CACHED = ".toolkit.fluxcd.io/"


class InsideClient(KubernetesClient):
    """Asks as a controller of Flux does: with client-go's patience, and informers of its own."""

    def __init__(self, api: Api, inside: Inside) -> None:
        super().__init__(api)
        self.inside = inside

    async def _before_reading(self, api_version: str) -> None:
        if _CACHED not in api_version:
            await self.inside.meet(Insider.WORKLOAD, Verb.READ)

    async def _before_creating(self) -> None:
        await self.inside.meet(Insider.WORKLOAD, Verb.CREATE)

    async def _before_changing(self) -> None:
        await self.inside.meet(Insider.WORKLOAD, Verb.CHANGE)

    async def _before_hearing(self) -> None:
        await self.inside.wait_for_sight()

"""Step: install the Flux controllers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lifecycle.drivers.documents import JsonObject
from lifecycle.engine import Answer, Needed, Patience, Satisfied
from lifecycle.world import World
from lifecycle.world.objects import apply_all, describe_missing, find_differing
from lifecycle.world.snapshot import describe_workload, is_workload_ready, list_by_label

__all__ = ["InstallFlux"]

_PART_OF_FLUX = "app.kubernetes.io/part-of=flux"


@dataclass(frozen=True, slots=True)
class InstallFlux:
    """What `flux install` would apply, without its prompts and its wait.

    The manifests are those that the flux command carries, so nothing is fetched. A Flux that
    runs already is left as it is: its own Kustomization keeps its version. Safe to repeat:
    server-side apply.
    """

    world: World
    after: tuple[str, ...] = ()
    name: str = "install-flux"
    title: str = "Install Flux"
    patience: Patience = Patience(stall=timedelta(minutes=10), deadline=timedelta(minutes=30))

    async def probe(self) -> Answer:
        """Every controller is there and ready, in whatever version."""
        api = await self.world.access.api()
        controllers = await list_by_label(api, "Deployment", _PART_OF_FLUX)
        ready = [item for item in controllers if is_workload_ready(item)]
        documents = await self._documents()
        missing = await find_differing(api, _without_versions(documents))
        if missing:
            return Needed(describe_missing(missing, len(documents)))
        if len(ready) < len(controllers):
            waiting = [f"{c.name}: {describe_workload(c)}" for c in controllers if c not in ready]
            return Needed(f"{len(ready)} of {len(controllers)} controllers; {'; '.join(waiting)}")
        return Satisfied(f"{len(ready)} controllers ready")

    async def apply(self) -> None:
        """Apply what is missing, unless all is there and only starting."""
        api = await self.world.access.api()
        documents = await self._documents()
        if await find_differing(api, _without_versions(documents)):
            await apply_all(api, documents)

    async def _documents(self) -> tuple[JsonObject, ...]:
        return await self.world.builds.flux_manifests()


def _without_versions(documents: tuple[JsonObject, ...]) -> list[JsonObject]:
    """Compare by existence only: the images are Flux' own to upgrade."""
    return [{key: doc[key] for key in ("apiVersion", "kind", "metadata")} for doc in documents]

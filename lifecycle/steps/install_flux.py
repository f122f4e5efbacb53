"""Step: install the Flux controllers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lifecycle.engine import Answer, Needed, Patience, Satisfied, Unknown
from lifecycle.world import World
from lifecycle.world.objects import apply_all
from lifecycle.world.snapshot import describe_workload, is_workload_ready

__all__ = ["InstallFlux"]

# Without these nothing of a repository arrives; notification-controller is the owner's choice.
_NEEDED = frozenset({"source-controller", "kustomize-controller", "helm-controller"})
_LABEL = "app.kubernetes.io/part-of"


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
        api, mirror = await self.world.access.api(), self.world.access.mirror
        mirror.note_look(self.name)
        deployments = await mirror.list("apps/v1", "Deployment")
        controllers = [item for item in deployments if item.labels.get(_LABEL) == "flux"]
        lacking = _NEEDED - {item.name for item in controllers}
        if lacking or not await api.serves("helm.toolkit.fluxcd.io/v2", "HelmRelease"):
            return Needed(f"missing: {', '.join(sorted(lacking)) or 'its kinds'}")
        waiting = [c for c in controllers if not is_workload_ready(c)]
        good = len(controllers) - len(waiting)
        if waiting:
            names = "; ".join(f"{c.name}: {describe_workload(c)}" for c in waiting)
            return Unknown(f"{good} of {len(controllers)} controllers ready; {names}")
        return Satisfied(f"{good} controllers ready")

    async def wait_for_news(self) -> None:
        """Return when the API has something new."""
        await self.world.access.mirror.wait_for_news(self.name)

    async def apply(self) -> None:
        """Apply all of it."""
        await apply_all(self.world, await self.world.builds.flux_manifests())

"""Step: apply the CRDs that one release's chart carries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from inventory import Release
from lifecycle.drivers.documents import JsonObject
from lifecycle.drivers.kubernetes import KubernetesObject, Selection
from lifecycle.engine import Answer, Needed, Patience, Satisfied
from lifecycle.world import World
from lifecycle.world.objects import apply_all, describe_missing

__all__ = ["ApplyCrds"]


@dataclass(frozen=True, slots=True)
class ApplyCrds:
    """What breaks the deadlock of a custom resource beside the release that brings its kind.

    kustomize-controller dry-runs a whole build before it applies any of it, so on an empty
    cluster a RecurringJob beside Longhorn's own HelmRelease keeps both away for ever (facts:
    cluster-repos.md §0.2). The CRDs are those that the chart renders at the release's version
    and values, with Helm's ownership metadata where they come from templates, so that the later
    install takes them over. Safe to repeat: server-side apply; `spec.conversion` of a live CRD
    stays with its owner.
    """

    world: World
    release: Release
    after: tuple[str, ...] = ()
    patience: Patience = Patience(stall=timedelta(minutes=2), deadline=timedelta(minutes=10))

    @property
    def name(self) -> str:
        """Journal key."""
        return f"apply-crds/{self.release.name}"

    @property
    def title(self) -> str:
        """For people."""
        return f"Apply CRDs of {self.release.name} ({self.release.chart} {self.release.version})"

    async def probe(self) -> Answer:
        """Every CRD exists and is Established."""
        wanted = await self._documents()
        if not wanted:
            return Satisfied("chart renders no CRDs")
        api = await self.world.access.api()
        live = await api.list(Selection("apiextensions.k8s.io/v1", "CustomResourceDefinition"))
        established = {item.name for item in live.items if _is_established(item)}
        names = [KubernetesObject(document).name for document in wanted]
        missing = [name for name in names if name not in established]
        if missing:
            return Needed(describe_missing(missing, len(names)))
        return Satisfied(f"{len(names)} CRDs established")

    async def apply(self) -> None:
        """Apply them as a whole."""
        await apply_all(await self.world.access.api(), await self._documents())

    async def _documents(self) -> tuple[JsonObject, ...]:
        return await self.world.charts.crds_of(self.release)


def _is_established(item: KubernetesObject) -> bool:
    return any(c.type == "Established" and c.is_true for c in item.conditions())

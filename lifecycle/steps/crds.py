"""Step: apply the CRDs that one release's chart carries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from inventory import Release
from lifecycle.drivers.kubernetes import Kubernetes
from lifecycle.engine import Answer, Needed, Patience, Satisfied
from lifecycle.world import World
from lifecycle.world.crd_kinds import CrdKind
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

    @property
    def lane(self) -> str:
        """Megabytes of definitions: a few charts at a time, so that others come through."""
        return "crds"

    async def probe(self) -> Answer:
        """Every kind is served, which is what Established means."""
        wanted = await self.world.charts.crd_kinds_of(self.release)
        if not wanted:
            return Satisfied("chart renders no CRDs")
        api = await self.world.access.api()
        missing = [crd.name for crd in wanted if not await _is_served(api, crd)]
        if missing:
            return Needed(describe_missing(missing, len(wanted)))
        return Satisfied(f"{len(wanted)} CRDs established")

    async def apply(self) -> None:
        """Apply them as a whole."""
        documents = await self.world.charts.crds_of(self.release)
        await apply_all(self.world, documents)


async def _is_served(api: Kubernetes, crd: CrdKind) -> bool:
    versions = [f"{crd.group}/{version}" for version in crd.versions]
    return all([await api.serves(version, crd.kind) for version in versions])

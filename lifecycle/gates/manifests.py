"""Gate: everything that will be applied can be built."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path

from inventory import Release
from lifecycle.drivers.files import write_private
from lifecycle.engine import Answer, Satisfied
from lifecycle.errors import LifecycleError
from lifecycle.world import World

__all__ = ["ManifestsBuild"]

_BUILDERS = ("kubectl", "helm", "flux")


@dataclass(frozen=True, slots=True)
class ManifestsBuild:
    """Built while the machines install, so that an error shows early and nothing waits later.

    What is built stays in memory, where the steps find it. A commit that built once builds
    again: the same tools make the same of the same files, and only that it did is kept.
    """

    world: World
    charts_with_crds: tuple[Release, ...]
    cni: tuple[Release, ...] = ()
    after: tuple[str, ...] = ()
    name: str = "manifests-build"
    title: str = "Build what will be applied"

    async def probe(self) -> Answer:
        """Build the entries, the CRDs of charts and Flux; an error is the builder's own."""
        kept = self._kept()
        builds, charts = self.world.builds, self.world.charts
        if kept.exists():
            # The CNI is rendered for a cluster that serves these kinds; they lie on the disk.
            await charts.learn_crd_kinds(self.charts_with_crds)
            return Satisfied("built before, at this commit")
        built, manifests, learnt = await asyncio.gather(
            builds.objects(),
            builds.flux_manifests(),
            charts.learn_crd_kinds(self.charts_with_crds),
        )
        count = 0
        for kinds in learnt.values():
            if isinstance(kinds, LifecycleError):
                raise kinds
            count += len(kinds)
        for release in self.cni:  # rendered for a cluster that serves these kinds
            await charts.render_owned(release)
        write_private(kept, b"")
        return Satisfied(f"{len(built)} objects, {count} CRDs of charts, {len(manifests)} of Flux")

    def _kept(self) -> Path:
        """Return the file that says that this commit builds with these tools."""
        found = self.world.tools.found
        versions = [f"{name} {found[name].version}" for name in _BUILDERS if name in found]
        decided_by = "\n".join([self.world.repository.commit, *versions])
        return self.world.places.cache / "builds" / hashlib.sha256(decided_by.encode()).hexdigest()

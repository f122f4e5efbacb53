"""Step: let Flux fetch this commit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lifecycle.drivers.kubernetes import Kubernetes, KubernetesObject, ObjectRef
from lifecycle.engine import Answer, Blocked, Needed, Patience, Satisfied, Unknown
from lifecycle.world import World
from lifecycle.world.flux_status import State, read_source

__all__ = ["FetchCommit"]

_VERSIONS = {"GitRepository": "source.toolkit.fluxcd.io/v1"}


@dataclass(frozen=True, slots=True)
class FetchCommit:
    """Flux has the commit that this run reads, not an older one.

    Safe to repeat: asking for a reconciliation changes an annotation only.
    """

    world: World
    after: tuple[str, ...] = ()
    name: str = "fetch-commit"
    patience: Patience = Patience(stall=timedelta(minutes=5), deadline=timedelta(minutes=20))

    @property
    def title(self) -> str:
        """For people."""
        return f"Let Flux fetch commit {self.world.repository.commit[:7]}"

    async def probe(self) -> Answer:
        """Read the artifact of each Git source that is this repository."""
        mirror = self.world.access.mirror
        mirror.note_look(self.name)
        commit = self.world.repository.commit
        for ref in self._refs():
            listed = await mirror.list(ref.api_version, ref.kind)
            live = next((item for item in listed if item.ref == ref), None)
            readiness = read_source(live, commit=commit)
            if readiness.state is State.FAILED:
                hint = f"see flux events --for {ref.kind}/{ref.name}"
                return Blocked(f"{ref} failed: {readiness.message}", hint)
            if not readiness.is_ready:
                is_asked = live is not None and _has_older_artifact(live, commit)
                return (Needed if is_asked else Unknown)(f"{ref.name}: {readiness.message}")
        return Satisfied(f"Flux has {commit[:7]}")

    async def wait_for_news(self) -> None:
        """Return when the API has something new."""
        await self.world.access.mirror.wait_for_news(self.name)

    async def apply(self) -> None:
        """Ask for a reconciliation now, as `flux reconcile source git` does."""
        api = await self.world.access.api()
        for ref in self._refs():
            await request_reconciliation(api, ref, self.world.clock.now().isoformat())

    def _refs(self) -> list[ObjectRef]:
        keys = sorted({entry.source for entry in self.world.inventory.entries})
        return [
            ObjectRef(_VERSIONS[key.kind], key.kind, key.name, key.namespace)
            for key in keys
            if key.kind in _VERSIONS
        ]


async def request_reconciliation(api: Kubernetes, ref: ObjectRef, token: str) -> None:
    """Set the annotation to which every Flux controller listens (facts: flux.md §9.3)."""
    patch = {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": token}}}
    await api.patch_merge(ref, patch)


def _has_older_artifact(live: KubernetesObject, commit: str) -> bool:
    artifact = live.status.get("artifact")
    return isinstance(artifact, dict) and not str(artifact.get("revision", "")).endswith(commit)

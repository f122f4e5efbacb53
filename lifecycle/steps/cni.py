"""Step: install the CNI from the repository's own HelmRelease."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from inventory import Release
from lifecycle.drivers.documents import JsonObject, object_at, text_at
from lifecycle.drivers.kubernetes import Kubernetes, ObjectRef
from lifecycle.engine import Answer, Needed, Patience, Satisfied
from lifecycle.world import World
from lifecycle.world.flux_status import read_release
from lifecycle.world.namespaces import find_namespaces
from lifecycle.world.objects import apply_all, describe_missing, find_differing

__all__ = ["InstallCni"]


@dataclass(frozen=True, slots=True)
class InstallCni:
    """The same chart, version and values that Flux will install later.

    Flux itself cannot run before the CNI does. Rendered by Helm and applied with Helm's
    ownership metadata, the objects are taken over by the release when Flux comes to it. Nothing
    runs before the CNI, so it waits for no step but the CRDs of its own chart: its namespace
    comes with it, and kinds that are not served yet (ServiceMonitors) are left to the release.
    Safe to repeat: server-side apply.
    """

    world: World
    release: Release
    after: tuple[str, ...] = ()
    name: str = "install-cni"
    patience: Patience = Patience(stall=timedelta(minutes=5), deadline=timedelta(minutes=15))

    @property
    def title(self) -> str:
        """For people."""
        return f"Install CNI ({self.release.chart} {self.release.version})"

    async def probe(self) -> Answer:
        """Its HelmRelease is Ready, or every rendered object exists with the rendered images."""
        if read_release(await (await self.world.access.api()).find(self._ref())).is_ready:
            return Satisfied(f"kept by its HelmRelease {self.release.id}")
        documents = await self._documents()
        missing = await find_differing(self.world.access, documents)
        if missing:
            return Needed(describe_missing(missing, len(documents)))
        return Satisfied(f"{len(documents)} objects of {self.release.chart} {self.release.version}")

    def _ref(self) -> ObjectRef:
        version = text_at(self.release.raw, "apiVersion")
        return ObjectRef(version, "HelmRelease", self.release.name, self.release.namespace)

    async def apply(self) -> None:
        """Apply the rendered objects."""
        await apply_all(self.world, await self._documents())

    async def _documents(self) -> list[JsonObject]:
        """Render, with the namespace; without hooks, which Helm runs, and kinds not served."""
        api = await self.world.access.api()
        rendered = await self.world.charts.render_owned(self.release)
        kinds = {(text_at(d, "apiVersion"), text_at(d, "kind")) for d in rendered}
        served = {kind for kind in kinds if await api.serves(*kind)}
        placed = [
            await self._place(api, document)
            for document in rendered
            if (text_at(document, "apiVersion"), text_at(document, "kind")) in served
        ]
        spaces = find_namespaces(self.world.inventory)
        own = [space for space in spaces if text_at(space, "metadata", "name") == self._namespace]
        return [*own, *placed]

    async def _place(self, api: Kubernetes, document: JsonObject) -> JsonObject:
        """Give a namespaced object the release's namespace where its template names none."""
        metadata = object_at(document, "metadata")
        resource = await api.resource(text_at(document, "apiVersion"), text_at(document, "kind"))
        if metadata.get("namespace") or not resource.is_namespaced:
            return document
        return {**document, "metadata": {**metadata, "namespace": self._namespace}}

    @property
    def _namespace(self) -> str:
        return self.release.target_namespace or self.release.namespace

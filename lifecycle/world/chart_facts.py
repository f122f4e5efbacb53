"""What the charts of live releases bring: which need looking at, their CRDs, their objects."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import yaml

from inventory import Inventory, Release, Source
from inventory.crds import BUILT_IN_GROUPS, crd_documents, crd_key, split_manifests
from inventory.objects import group_of
from inventory.substitution import substitute_object
from inventory.webhooks import guarded_by
from lifecycle.drivers.charts import ChartCache, ChartSource
from lifecycle.drivers.documents import (
    Json,
    JsonObject,
    as_object,
    flag_at,
    object_at,
    text_at,
)
from lifecycle.drivers.files import write_private
from lifecycle.drivers.helm import Helm, Rendering
from lifecycle.errors import CommandFailedError, DriverError, InventoryError, LifecycleError
from lifecycle.world.chart_scans import ChartScans
from lifecycle.world.crd_kinds import CrdKind, describe_kind, parse_kind
from lifecycle.world.objects import digest_of, own_by_helm
from lifecycle.world.source_credentials import SourceCredentials

__all__ = ["ChartFacts", "HoldsInventory"]

_HOOK = "helm.sh/hook"
_CRD_API = "apiextensions.k8s.io/v1"


class HoldsInventory(Protocol):
    """What is asked of a repository: its inventory, and nothing that needs Git or a key."""

    @property
    def inventory(self) -> Inventory:
        """What the repository holds."""


@dataclass(slots=True)
class ChartFacts:
    """Reads charts once; what is kept on disk is public chart content, never a value.

    `folder` holds scans and CRDs by the digest of chart and values. Without `credentials`, as
    where no key is at hand, sources are asked as anybody may ask them.
    """

    repository: HoldsInventory
    charts: ChartCache
    helm: Helm
    folder: Path
    credentials: SourceCredentials | None = None
    _kinds: dict[str, tuple[CrdKind, ...]] = field(default_factory=dict)
    _scans: ChartScans = field(init=False)
    _owned: dict[tuple[str, tuple[str, ...]], list[JsonObject]] = field(default_factory=dict)
    _limit: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))

    def __post_init__(self) -> None:
        """Keep scans below the folder."""
        self._scans = ChartScans(self.folder / "scans")

    def source_of(self, release: Release) -> ChartSource:
        """Return which chart a release wants, and where its source says it is."""
        if (source := self._declared(release)) is None:
            return ChartSource(release.chart, release.version)
        # An OCIRepository's URL ends with the chart's name; a HelmRepository's does not.
        is_chart = source.kind == "OCIRepository"
        url = source.url.rpartition("/")[0] if is_chart else source.url
        is_plain = flag_at(source.raw, "spec", "insecure")
        return ChartSource(release.chart, release.version, url, is_plain)

    async def archive_of(self, release: Release) -> Path:
        """Return a release's chart archive; raises ChartMissingError."""
        source, declared = self.source_of(release), self._declared(release)
        if self.credentials and declared and self.charts.find(source) is None:
            source = replace(source, access=await self.credentials.helm(declared))
        return await self.charts.fetch(source)

    def _declared(self, release: Release) -> Source | None:
        sources = self.repository.inventory.sources
        return next((source for source in sources if source.key == release.source), None)

    async def check_archive(self, release: Release) -> None:
        """Find out whether a release's chart is there, and whole.

        Raises:
            ChartMissingError: It cannot be had.
            InventoryError: It is no chart; the message names its file.
        """
        await asyncio.to_thread(self._scans.scan, await self.archive_of(release))

    async def may_bring_crds(self, release: Release) -> bool:
        """Tell whether a chart mentions CRDs anywhere; one that is missing brings none."""
        try:
            archive = await self.archive_of(release)
            scan = await asyncio.to_thread(self._scans.scan, archive)
        except (DriverError, InventoryError):
            return False
        return bool(scan["crds"] or scan["templates"])

    async def crd_kinds_of(self, release: Release) -> tuple[CrdKind, ...]:
        """Return what the CRDs of `crds_of` define, without reading them again."""
        if release.id not in self._kinds:
            cached = (await self._place_of(release))[1].with_suffix(".kinds.json")
            found = await asyncio.to_thread(_read_cached, cached)
            if found is None:
                found = [describe_kind(crd) for crd in await self.crds_of(release)]
                write_private(cached, json.dumps(found).encode())
            self._kinds[release.id] = tuple(parse_kind(item) for item in found)
        return self._kinds[release.id]

    async def learn_crd_kinds(
        self, releases: Iterable[Release]
    ) -> Mapping[str, tuple[CrdKind, ...] | LifecycleError]:
        """Return what the CRDs of several charts define, by release; or why one does not render.

        A chart that refuses to render before another's kinds are served comes after that one.
        """
        found: dict[str, tuple[CrdKind, ...] | LifecycleError] = {}
        waiting = list(releases)
        while waiting:
            answers = await asyncio.gather(*(self._try_crd_kinds(item) for item in waiting))
            found |= {item.id: answer for item, answer in zip(waiting, answers, strict=True)}
            refused = [item for item in waiting if isinstance(found[item.id], LifecycleError)]
            if len(refused) == len(waiting):
                break
            waiting = refused
        return found

    async def _try_crd_kinds(self, release: Release) -> tuple[CrdKind, ...] | LifecycleError:
        try:
            return await self.crd_kinds_of(release)
        except LifecycleError as error:
            return error

    async def crds_of(self, release: Release) -> tuple[JsonObject, ...]:
        """Return the CRDs that a release's chart renders with the release's values.

        Those from templates carry Helm's ownership metadata; those from `crds/` folders are no
        objects of the release and carry none.
        """
        rendering, cached = await self._place_of(release)
        found = await asyncio.to_thread(_read_cached, cached)
        if found is None:
            found = await self._render_crds(release, rendering.chart, rendering)
            write_private(cached, json.dumps(found).encode())
        return tuple(found)

    async def kinds_of(self, release: Release) -> frozenset[str]:
        """Return `group/Kind` of each custom resource, `hook:group/resource` of each webhook.

        As `render_owned` sees them; webhooks are those whose absence refuses an object.
        """
        cached = (await self._place_of(release))[1].with_suffix(".uses.json")
        try:
            return frozenset(map(str, json.loads(cached.read_text(encoding="utf-8"))))
        except (OSError, ValueError, TypeError):
            pass
        objects = await self.render_owned(release)
        kinds = {f"{group_of(item)}/{text_at(item, 'kind')}" for item in objects}
        found = {kind for kind in kinds if kind.partition("/")[0] not in BUILT_IN_GROUPS}
        found |= {f"hook:{name}" for item in objects for name in guarded_by(item)}
        write_private(cached, json.dumps(sorted(found)).encode())
        return frozenset(found)

    async def _place_of(self, release: Release) -> tuple[Rendering, Path]:
        """Return how a release is rendered, and where its CRDs are kept."""
        archive = await self.archive_of(release)
        rendering = self._rendering(release, archive, include_crds=True)
        return rendering, self.folder / "crds" / f"{_digest(archive, rendering)}.json"

    async def render_owned(self, release: Release) -> list[JsonObject]:
        """Return a release's objects without hooks, owned by the release as Helm says it."""
        archive = await self.archive_of(release)
        rendering = self._rendering(release, archive, include_crds=False)
        key = (release.id, rendering.api_versions)
        if key not in self._owned:
            text = await self._render(release, rendering)
            documents = [document for part in split_manifests(text) for document in _load(part)]
            self._owned[key] = [
                own_by_helm(document, release=rendering.release, namespace=rendering.namespace)
                for document in documents
                if _HOOK not in object_at(document, "metadata", "annotations")
            ]
        return self._owned[key]

    async def _render_crds(
        self, release: Release, archive: Path, rendering: Rendering
    ) -> list[JsonObject]:
        text = await self._render(release, rendering)
        plain = set((await asyncio.to_thread(self._scans.scan, archive))["crds"])
        return [
            document
            if crd_key(document) in plain
            else own_by_helm(document, release=rendering.release, namespace=rendering.namespace)
            for document in crd_documents(text)
        ]

    async def _render(self, release: Release, rendering: Rendering) -> str:
        async with self._limit:
            try:
                return (await self.helm.template(rendering)).reveal_text()
            except CommandFailedError as error:
                position = release.position
                said = error.stderr_tail.strip().removeprefix("Error: ")
                said = said.removesuffix("Use --debug flag to render out invalid YAML").rstrip()
                raise InventoryError(
                    f"chart does not render: `{release.chart} {release.version}`: {said}",
                    path=position.path,
                    line=position.line,
                    column=position.column,
                    hint="correct the release's values for this version of the chart",
                ) from error

    def _rendering(self, release: Release, archive: Path, *, include_crds: bool) -> Rendering:
        talos = self.repository.inventory.talos
        return Rendering(
            release.release_name or release.name,
            release.target_namespace or release.namespace,
            archive,
            self._values_of(release),
            api_versions=self._known_versions(),
            kubernetes_version=talos.kubernetes_version if talos else "",
            include_crds=include_crds,
        )

    def _values_of(self, release: Release) -> JsonObject:
        """Return a release's values as Flux would hand them to Helm."""
        inventory = self.repository.inventory
        component = inventory.component(release.component)
        variables = {
            **inventory.variables.substitution(component.substitute_from),
            **component.substitute,
        }
        values: JsonObject = {}
        for reference in release.values_from:
            for _, item in inventory.objects():
                if (item.kind, item.name) == (reference.kind, reference.name):
                    raw = substitute_object(item.raw, variables)
                    text = text_at(raw, "data", reference.values_key)
                    values = _merge(values, as_object(yaml.safe_load(text) or {}))
        own = object_at(substitute_object(release.raw, variables), "spec", "values")
        return _merge(values, own)

    def _known_versions(self) -> tuple[str, ...]:
        """Name the APIs that are served before anything is rendered, as far as they were learnt.

        Some charts refuse to render unless `monitoring.coreos.com/v1` exists (facts:
        cluster-repos.md §0.11).
        """
        kinds = [crd for found in self._kinds.values() for crd in found]
        labels = {(f"{crd.group}/{version}", crd.kind) for crd in kinds for version in crd.versions}
        return tuple(sorted({name for api, kind in labels for name in (api, f"{api}/{kind}")}))


def _digest(archive: Path, rendering: Rendering) -> str:
    """Return a digest of all that decides the rendered CRDs; API versions do not."""
    chart = hashlib.sha256(archive.read_bytes()).hexdigest()
    values: Json = rendering.values
    parts = [chart, rendering.release, rendering.namespace, rendering.kubernetes_version, values]
    return digest_of(parts)


def _read_cached(path: Path) -> list[JsonObject] | None:
    try:
        return [as_object(item) for item in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return None


def _load(part: str) -> list[JsonObject]:
    documents = yaml.load_all(part, Loader=yaml.CSafeLoader)
    return [as_object(document) for document in documents if document]


def _merge(base: JsonObject, over: JsonObject) -> JsonObject:
    """Merge values as Helm does: maps key by key, everything else replaced."""
    merged = dict(base)
    for key, value in over.items():
        held = merged.get(key)
        if isinstance(held, Mapping) and isinstance(value, Mapping):
            merged[key] = _merge(as_object(held), as_object(value))
        else:
            merged[key] = value
    return merged

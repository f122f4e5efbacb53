"""source-controller: GitRepository, OCIRepository, HelmRepository, HelmChart, Bucket."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path

from lab.charts import list_versions, resolve_chart, split_chart_url
from lab.flux.artifacts import Artifact, Artifacts, SourceKey
from lab.flux.durations import parse_duration
from lab.flux.faults import SourceFaults
from lab.flux.git import FetchError, GitFetcher
from lab.flux.objects import Context, is_deleted, is_suspended, note_handled
from lab.flux.oci import (
    CHART_LAYER,
    OciAnswer,
    refuse_artifact,
    refuse_chart,
    refuse_layer,
    refuse_url,
)
from lab.flux.queue import RetryError
from lab.kubernetes.errors import NotFoundError
from lab.kubernetes.values import Object, at, dig, grow, name_of, namespace_of, number, text

__all__ = ["GIT", "OPAQUE_IMAGES", "SOURCES", "Sources", "key_of"]

_V1 = "source.toolkit.fluxcd.io/v1"
GIT = (_V1, "GitRepository")
SOURCES = tuple(
    (_V1, kind)
    for kind in ("GitRepository", "OCIRepository", "HelmRepository", "HelmChart", "Bucket")
)
# Manifest bundles that no folder holds: whoever builds from one takes the cluster as it is.
OPAQUE_IMAGES = ("flux-manifests",)
# Simulated seconds of a fetch: small repositories and charts on a home line.
_FETCH_S = 1.0
_CHART_REASONS = (
    ("no artifact available", "NoSourceArtifact"),
    ("invalid chart reference", "InvalidChartReference"),
    ("failed to get source", "SourceUnavailable"),
)
# Failures that only a change of the spec can end.
_TERMINAL = frozenset({"InvalidChartReference", "URLInvalid"})


class Sources:
    """Reconciles every kind of source; one method a kind."""

    def __init__(
        self,
        context: Context,
        artifacts: Artifacts,
        git: GitFetcher,
        charts: Sequence[Path],
        faults: SourceFaults,
    ) -> None:
        self._context = context
        self._artifacts = artifacts
        self._git = git
        self._charts = charts
        self._faults = faults

    async def reconcile(self, source: Object, newer: asyncio.Event) -> float | None:
        """Bring one source up to date; returns its interval in simulated seconds."""
        del newer  # a fetch is short enough to finish
        key = key_of(source)
        if is_deleted(source) or is_suspended(source):
            return None
        try:
            if text(source, "kind") in {"HelmRepository", "HelmChart"} and (
                failure := self._faults.describe(source)
            ):
                raise FetchError(failure)  # noqa: TRY301  a fault is told as a failure is
            artifact = await self._fetch(source)
        except FetchError as failed:
            await self._fail(source, failed)
            raise RetryError from failed
        if artifact is not None:
            grow(source, "status")["artifact"] = artifact.describe(key, self._context.now())
        await self._succeed(source, artifact)
        if artifact is not None:
            self._artifacts.publish(key, artifact)
        return parse_duration(text(source, "spec", "interval"), 600.0)

    async def _fetch(self, source: Object) -> Artifact | None:
        match text(source, "kind"):
            case "GitRepository":
                return await self._fetch_git(source)
            case "OCIRepository":
                return await self._fetch_oci(source)
            case "HelmChart":
                return await self._fetch_chart(source)
            case "HelmRepository":
                # An OCI one is static: real source-controller never touches it.
                return None if text(source, "spec", "type") == "oci" else Artifact("sha256:index")
            case kind:
                raise FetchError(f"the lab serves no {kind}")

    async def _fetch_git(self, source: Object) -> Artifact:
        secret = text(source, "spec", "secretRef", "name")
        if secret:
            await self._need_secret(source, secret, ("identity", "known_hosts"))
        if failure := self._faults.describe(source):
            raise FetchError(failure)
        if self._artifacts.get(key_of(source)) is None:
            await self._context.clock.wait(_FETCH_S, f"source/{name_of(source)}")
        revision, folder = await self._git.fetch(source)
        return Artifact(revision, folder)

    async def _need_secret(self, source: Object, name: str, keys: tuple[str, ...]) -> None:
        namespace = namespace_of(source)
        try:
            secret = await self._context.client.get("v1", "Secret", name, namespace)
        except NotFoundError as missing:
            raise FetchError(f"failed to get secret '{namespace}/{name}': {missing}") from missing
        data = at(secret, "data")
        if text(source, "spec", "url").startswith("ssh://") and not all(
            key in data for key in keys
        ):
            lacking = next(key for key in keys if key not in data)
            raise FetchError(
                f"failed to configure authentication options: invalid '{namespace}/{name}' "
                f"secret data: required key '{lacking}' not found"
            )

    async def _fetch_oci(self, source: Object) -> Artifact:
        refuse_url(text(source, "spec", "url"))
        if secret := text(source, "spec", "secretRef", "name"):
            await self._need_credential(source, secret)
        if answer := self._faults.find_answer(source):
            raise refuse_artifact(source, answer)
        wanted = split_chart_url(source)
        digest = text(source, "spec", "ref", "digest")
        if wanted.name in OPAQUE_IMAGES:
            return Artifact(f"{wanted.version or 'latest'}@{digest or 'sha256:opaque'}")
        is_tagged = bool(text(source, "spec", "ref", "tag") or digest)
        version = wanted.version or ("*" if digest else "latest")
        path = await self._find(source, wanted.name, version)
        if path is None or (version == "latest" and not is_tagged):
            known = list_versions(self._charts, wanted.name)
            raise refuse_artifact(source, OciAnswer.NO_VERSION if known else OciAnswer.NO_NAME)
        layer = text(source, "spec", "layerSelector", "mediaType")
        if layer not in {"", CHART_LAYER}:
            raise refuse_layer(layer)
        if digest:
            return Artifact(digest, path)  # the tag beside it does not count
        found = path.stem.removeprefix(f"{wanted.name}-")
        return Artifact(f"{found}@{digest_of(path)}", path)

    async def _need_credential(self, source: Object, name: str) -> None:
        place = namespace_of(source), name
        if await self._context.client.find("v1", "Secret", name, place[0]) is None:
            raise FetchError(
                f"failed to get credential: failed to get secret '{'/'.join(place)}': "
                f'secrets "{name}" not found',
                "AuthenticationFailed",
            )

    async def _fetch_chart(self, source: Object) -> Artifact:
        spec = at(source, "spec")
        repository, namespace = text(spec, "sourceRef", "name"), namespace_of(source)
        kind = text(spec, "sourceRef", "kind")
        try:
            found = await self._context.client.get(_V1, kind, repository, namespace)
        except NotFoundError as missing:
            raise FetchError(f"failed to get source: {missing}") from missing
        if text(found, "spec", "type") == "oci":
            return await self._fetch_oci_chart(source, found)
        if kind == "HelmRepository" and not at(found, "status", "artifact"):
            raise FetchError(f"no artifact available for {kind} source '{repository}'")
        name, version = text(spec, "chart"), text(spec, "version") or "*"
        path = await self._find(source, name, version)
        if path is None:
            lacking = f"no '{name}' chart with version matching '{version}' found"
            if not list_versions(self._charts, name):
                lacking = "no chart name found"
            raise FetchError(
                "invalid chart reference: failed to get chart version for remote reference: "
                + lacking
            )
        return Artifact(path.stem.removeprefix(f"{name.rsplit('/', 1)[-1]}-"), path)

    async def _fetch_oci_chart(self, source: Object, repository: Object) -> Artifact:
        secret, namespace = text(repository, "spec", "secretRef", "name"), namespace_of(source)
        if secret and await self._context.client.find("v1", "Secret", secret, namespace) is None:
            raise FetchError(
                "unknown build error: failed to get authentication secret "
                f"'{namespace}/{secret}': secrets \"{secret}\" not found",
                "Unknown",
            )
        name, version = text(source, "spec", "chart"), text(source, "spec", "version") or "*"
        answer = self._faults.find_answer(source)
        path = None if answer else await self._find(source, name, version)
        if path is None:
            known = list_versions(self._charts, name)
            answer = answer or (OciAnswer.NO_VERSION if known else OciAnswer.NO_NAME)
            raise refuse_chart(repository, name, version, answer)
        return Artifact(path.stem.removeprefix(f"{name.rsplit('/', 1)[-1]}-"), path)

    async def _find(self, source: Object, name: str, version: str) -> Path | None:
        path = resolve_chart(self._charts, name, version)
        if path is not None and self._artifacts.get(key_of(source)) is None:
            await self._context.clock.wait(_FETCH_S, f"source/{name}-{version}")
        return path

    async def _succeed(self, source: Object, artifact: Artifact | None) -> None:
        conditions = self._context.conditions(source)
        kind = text(source, "kind")
        if kind == "HelmRepository" and artifact is None:
            return
        what = "digest" if kind == "OCIRepository" else "revision"
        message = f"stored artifact for {what} '{artifact.revision if artifact else ''}'"
        reason = "Succeeded"
        if kind == "HelmChart" and artifact is not None:
            reason = "ChartPullSucceeded"
            message = (
                f"pulled '{text(source, 'spec', 'chart')}' chart with version '{artifact.revision}'"
            )
        for gone in ("Reconciling", "Stalled", "FetchFailed"):
            conditions.drop(gone)
        conditions.mark("Ready", "True", reason, message)
        conditions.mark("ArtifactInStorage", "True", reason, message)
        grow(source, "status")["observedGeneration"] = number(source, "metadata", "generation")
        await self._write(source)

    async def _fail(self, source: Object, failed: FetchError) -> None:
        conditions, message = self._context.conditions(source), str(failed)
        reason = failed.reason or _find_reason(text(source, "kind"), message)
        status = grow(source, "status")
        if reason in _TERMINAL:
            # Looked at again all the same: of a chart when the repository's index changes.
            conditions.mark("Stalled", "True", reason, message)
            status["observedGeneration"] = number(source, "metadata", "generation")
        else:
            conditions.mark("Reconciling", "True", "ProgressingWithRetry", "building artifact")
        conditions.mark("FetchFailed", "True", reason, message)
        conditions.mark("Ready", "False", reason, message)
        if dig(status, "observedGeneration") is None:
            status["observedGeneration"] = -1
        await self._write(source)

    async def _write(self, source: Object) -> None:
        note_handled(source)
        await self._context.write_status(source)


def _find_reason(kind: str, message: str) -> str:
    """Find the reason of a failure, as source-controller gives it by kind and place."""
    if message.startswith("failed to get secret"):
        return "AuthenticationFailed"
    match kind:
        case "GitRepository":
            return "GitOperationFailed"
        case "HelmRepository":
            return "IndexationFailed" if "from index YAML" in message else "Failed"
        case "HelmChart":
            found = (reason for begin, reason in _CHART_REASONS if message.startswith(begin))
            return next(found, "ChartPullError")
        case _:
            return "FetchFailed"


def digest_of(path: Path) -> str:
    """The digest that stands for a manifest: the lab has the chart alone."""
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def key_of(source: Object) -> SourceKey:
    """The key under which a source's artifact is held."""
    return text(source, "kind"), namespace_of(source), name_of(source)

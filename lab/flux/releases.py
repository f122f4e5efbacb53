"""helm-controller: what a HelmRelease needs before its release can be reconciled."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

from lab.flux.actions import HelmActions
from lab.flux.artifacts import Artifact, Artifacts
from lab.flux.atomic import AtomicRelease, ReleaseRequest, StalledError
from lab.flux.conditions import is_ready
from lab.flux.durations import parse_duration
from lab.flux.health import Health, InvalidExpressionError, ask_dependency, read_health
from lab.flux.objects import Context, has_finalizer, is_deleted, is_suspended, note_handled
from lab.flux.queue import RetryError
from lab.flux.rendering import Chart, Renderer, RenderError
from lab.flux.values import ValuesError, compose_values
from lab.kubernetes.errors import NotFoundError
from lab.kubernetes.values import (
    Json,
    Object,
    at,
    dig,
    grow,
    maps,
    name_of,
    namespace_of,
    number,
    text,
)

__all__ = ["HELM_RELEASE", "Releases", "chart_key_of"]

HELM_RELEASE = ("helm.toolkit.fluxcd.io/v2", "HelmRelease")
_SOURCE_API = "source.toolkit.fluxcd.io/v1"
# --requeue-dependency of helm-controller.
_DEPENDENCY_S = 30.0
_SHORT_DIGEST = 12


class _NotYetError(Exception):
    """A prerequisite is missing; `after_s` says when to look again, None: after a back-off."""

    def __init__(self, reason: str, message: str, after_s: float | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.after_s = after_s


class Releases:
    """Reconciles HelmReleases."""

    def __init__(
        self, context: Context, artifacts: Artifacts, renderer: Renderer, actions: HelmActions
    ) -> None:
        self._context = context
        self._artifacts = artifacts
        self._renderer = renderer
        self._atomic = AtomicRelease(context, renderer, actions)

    async def reconcile(self, obj: Object, newer: asyncio.Event) -> float | None:
        """Reconcile one object; returns simulated seconds until the next time.

        Raises:
            RetryError: the attempt failed and the next comes after a back-off.
        """
        del newer  # an action of Helm runs to its end
        if is_deleted(obj):
            await self._finalize(obj)
            return None
        if not has_finalizer(obj):
            await self._context.set_finalizer(obj, present=True)
        if is_suspended(obj):
            return None
        try:
            return await self._attempt(obj, read_health(obj))
        except InvalidExpressionError as wrong:
            conditions = self._context.conditions(obj)
            for kind, status in (("Ready", "False"), ("Stalled", "True")):
                conditions.mark(kind, status, "InvalidCELExpression", str(wrong))
            self._observe(obj)
            await self._write(obj)
            return None

    async def _attempt(self, obj: Object, health: Health) -> float | None:
        conditions = self._context.conditions(obj)
        conditions.mark("Reconciling", "True", "Progressing", "Fulfilling prerequisites")
        try:
            request = await self._prepare(obj, health)
        except _NotYetError as missing:
            conditions.mark("Ready", "False", missing.reason, str(missing))
            await self._write(obj)
            if missing.after_s is None:
                raise RetryError from missing
            return missing.after_s
        return await self._release(obj, request)

    async def _release(self, obj: Object, request: ReleaseRequest) -> float | None:
        try:
            await self._atomic.reconcile(request)
        except StalledError:
            # Terminal: observed, and left alone until somebody changes or asks.
            self._observe(obj)
            await self._write(obj)
            return None
        except RetryError:
            await self._write(obj)
            raise
        self._context.conditions(obj).drop("Reconciling")
        self._observe(obj)
        await self._write(obj)
        return parse_duration(text(obj, "spec", "interval"), 600.0)

    async def _prepare(self, obj: Object, health: Health) -> ReleaseRequest:
        await self._apply_chart_object(obj)
        await self._check_dependencies(obj)
        artifact = await self._find_artifact(obj)
        try:
            values = await compose_values(self._context, obj)
        except ValuesError as wrong:
            raise _NotYetError("ValuesError", str(wrong)) from wrong
        if artifact.path is None:
            raise _NotYetError("ArtifactFailed", "Could not load chart: the artifact is no chart")
        try:
            chart = self._renderer.load(artifact.path)
        except RenderError as broken:
            raise _NotYetError("ArtifactFailed", str(broken)) from broken
        chart = _note_digest(obj, chart, artifact)
        return ReleaseRequest(obj, chart, values, health)

    async def _apply_chart_object(self, obj: Object) -> None:
        """Make the HelmChart of `spec.chart`, which source-controller then fetches."""
        template = at(obj, "spec", "chart", "spec")
        if not template:
            return
        _, namespace, name = chart_key_of(obj)
        spec: Object = {
            "chart": template.get("chart"),
            "version": str(template.get("version") or "*"),
            "interval": template.get("interval") or dig(obj, "spec", "interval"),
            "reconcileStrategy": template.get("reconcileStrategy") or "ChartVersion",
            "sourceRef": {
                "kind": text(template, "sourceRef", "kind"),
                "name": text(template, "sourceRef", "name"),
            },
        }
        chart: Object = {
            "apiVersion": _SOURCE_API,
            "kind": "HelmChart",
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        }
        await self._context.client.apply(chart, manager=self._context.manager, force=True)
        grow(obj, "status")["helmChart"] = f"{namespace}/{name}"

    async def _check_dependencies(self, obj: Object) -> None:
        for dependency in maps(obj, "spec", "dependsOn"):
            namespace = text(dependency, "namespace") or namespace_of(obj)
            name = text(dependency, "name")
            found = await self._context.client.find(*HELM_RELEASE, name, namespace)
            if found is None:
                message = (
                    f"unable to get '{namespace}/{name}' dependency: "
                    f'helmreleases.helm.toolkit.fluxcd.io "{name}" not found'
                )
                raise _NotYetError("DependencyNotReady", message, _DEPENDENCY_S)
            if expression := text(dependency, "readyExpr"):
                if reason := ask_dependency(expression, obj, found):
                    raise _NotYetError("DependencyNotReady", reason, _DEPENDENCY_S)
                continue
            if not is_ready(found):
                message = f"dependency '{namespace}/{name}' is not ready"
                raise _NotYetError("DependencyNotReady", message, _DEPENDENCY_S)

    async def _find_artifact(self, obj: Object) -> Artifact:
        kind, namespace, name = chart_key_of(obj)
        try:
            source = await self._context.client.get(_SOURCE_API, kind, name, namespace)
        except NotFoundError as missing:
            message = f"could not get Source object: {missing.message}"
            raise _NotYetError("ArtifactFailed", message) from missing
        shown = f"{kind} '{namespace}/{name}' is not ready"
        observed = number(source, "status", "observedGeneration", default=-1)
        if observed != number(source, "metadata", "generation"):
            reason = self._context.conditions(source).message("Ready")
            if not self._context.conditions(source).is_status("Ready", "False"):
                reason = "latest generation of object has not been reconciled"
            raise _NotYetError("SourceNotReady", f"{shown}: {reason}", _DEPENDENCY_S)
        if self._context.conditions(source).is_status("Stalled", "True"):
            reason = self._context.conditions(source).message("Stalled")
            raise _NotYetError("SourceNotReady", f"{shown}: {reason}", _DEPENDENCY_S)
        artifact = self._artifacts.get((kind, namespace, name))
        if artifact is None:
            message = f"{shown}: does not have an artifact"
            raise _NotYetError("SourceNotReady", message, _DEPENDENCY_S)
        return artifact

    def _observe(self, obj: Object) -> None:
        grow(obj, "status")["observedGeneration"] = number(obj, "metadata", "generation")

    async def _write(self, obj: Object) -> None:
        note_handled(obj)
        status = grow(obj, "status")
        if dig(status, "observedGeneration") is None:
            unobserved: Json = -1
            status["observedGeneration"] = unobserved
        await self._context.write_status(obj)

    async def _finalize(self, obj: Object) -> None:
        if not is_suspended(obj):
            await self._atomic.uninstall(obj)
            kind, namespace, name = chart_key_of(obj)
            if kind == "HelmChart":
                with suppress(NotFoundError):
                    await self._context.client.delete(_SOURCE_API, kind, name, namespace)
        if has_finalizer(obj):
            await self._context.set_finalizer(obj, present=False)


def _note_digest(obj: Object, chart: Chart, artifact: Artifact) -> Chart:
    """Put the digest of an OCIRepository behind the version, so that a moved tag is noticed."""
    kind = chart_key_of(obj)[0]
    digest = artifact.revision.rpartition("@")[2] if kind == "OCIRepository" else ""
    if not digest:
        grow(obj, "status").pop("lastAttemptedRevisionDigest", None)
        return chart
    grow(obj, "status")["lastAttemptedRevisionDigest"] = digest
    short = digest.rpartition(":")[2][:_SHORT_DIGEST]
    return replace(chart, version=f"{chart.version.partition('+')[0]}+{short}")


def chart_key_of(obj: Object) -> tuple[str, str, str]:
    """Kind, namespace and name of the source that holds a release's chart."""
    template = at(obj, "spec", "chart", "spec")
    if template:
        namespace = text(template, "sourceRef", "namespace") or namespace_of(obj)
        return "HelmChart", namespace, f"{namespace_of(obj)}-{name_of(obj)}"
    reference = at(obj, "spec", "chartRef")
    namespace = text(reference, "namespace") or namespace_of(obj)
    return text(reference, "kind"), namespace, text(reference, "name")

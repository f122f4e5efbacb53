"""kustomize-controller: builds, applies, prunes and waits, in the order of its Go original."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from lab.flux.apply import (
    Applied,
    Applier,
    ApplyError,
    mark_owner,
    parse_inventory,
    write_inventory,
)
from lab.flux.artifacts import Artifact, Artifacts
from lab.flux.build import Builder, BuildError
from lab.flux.dependencies import find_unready_dependency, source_key_of
from lab.flux.durations import format_duration, parse_duration
from lab.flux.health import Health, InvalidExpressionError, read_health
from lab.flux.history import digest_objects, record_attempt
from lab.flux.objects import Context, has_finalizer, is_deleted, is_suspended, note_handled
from lab.flux.readiness import InterruptedWaitError, NotReadyError, Readiness, Reference, refer_to
from lab.kubernetes.errors import ApiError, NotFoundError
from lab.kubernetes.values import Object, dig, grow, name_of, number, text

__all__ = ["Kustomizations"]

_SOURCE_API = "source.toolkit.fluxcd.io/v1"
# --requeue-dependency of kustomize-controller.
_DEPENDENCY_S = 30.0


class _FailedError(Exception):
    """The attempt ends here, with a reason and message for the Ready condition."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What one attempt builds from, how it judges health, and what interrupts it."""

    artifact: Artifact
    health: Health
    newer: asyncio.Event


class Kustomizations:
    """Reconciles Kustomizations."""

    def __init__(
        self, context: Context, artifacts: Artifacts, builder: Builder, readiness: Readiness
    ) -> None:
        self._context = context
        self._artifacts = artifacts
        self._builder = builder
        self._readiness = readiness
        self._applier = Applier(context, readiness)

    async def reconcile(self, obj: Object, newer: asyncio.Event) -> float | None:
        """Reconcile one object; returns simulated seconds until the next time."""
        if is_deleted(obj):
            await self._finalize(obj)
            return None
        if not has_finalizer(obj):
            await self._context.set_finalizer(obj, present=True)
        if is_suspended(obj):
            return None
        after_s = await self._attempt(obj, newer)
        self._close(obj)
        await self._context.write_status(obj)
        return after_s

    async def _attempt(self, obj: Object, newer: asyncio.Event) -> float | None:
        try:
            return await self._try(obj, read_health(obj), newer)
        except InvalidExpressionError as wrong:
            conditions = self._context.conditions(obj)
            for kind, status in (("Ready", "False"), ("Stalled", "True")):
                conditions.mark(kind, status, "InvalidCELExpression", str(wrong))
            await self._context.emit(obj, "InvalidCELExpression", str(wrong), warning=True)
            return None  # nothing but a change of the spec can help

    async def _try(self, obj: Object, health: Health, newer: asyncio.Event) -> float:
        conditions = self._context.conditions(obj)
        interval_s = parse_duration(text(obj, "spec", "interval"), 600.0)
        retry_s = parse_duration(text(obj, "spec", "retryInterval"), interval_s)
        try:
            artifact = await self._find_artifact(obj)
        except NotFoundError as missing:
            conditions.mark("Ready", "False", "ArtifactFailed", missing.message)
            return retry_s
        if artifact is None:
            message = f"Source artifact not found, retrying in {format_duration(_DEPENDENCY_S)}"
            conditions.mark("Ready", "False", "ArtifactFailed", message)
            return _DEPENDENCY_S
        reason = await find_unready_dependency(self._context.client, obj, artifact)
        if reason:
            conditions.mark("Ready", "False", "DependencyNotReady", reason)
            return _DEPENDENCY_S
        try:
            await self._run(obj, _Attempt(artifact, health, newer))
        except InterruptedWaitError:
            message = "New reconciliation triggered"
            conditions.mark("Ready", "False", "HealthCheckCanceled", message)
            return 0.0
        except _FailedError as failed:
            conditions.mark("Ready", "False", failed.reason, str(failed))
            await self._context.emit(obj, failed.reason, str(failed), warning=True)
            return retry_s
        return interval_s

    async def _run(self, obj: Object, attempt: _Attempt) -> None:
        artifact = attempt.artifact
        revision, status = artifact.revision, grow(obj, "status")
        timeout = format_duration(_timeout_of(obj))
        await self._progress(
            obj, f"Building manifests for revision {revision} with a timeout of {timeout}"
        )
        status["lastAttemptedRevision"] = revision
        begun_s = self._context.clock.elapsed_s()
        built = await self._build(obj, artifact)

        def record(outcome: str) -> None:
            now, took_s = self._context.now(), self._context.clock.elapsed_s() - begun_s
            record_attempt(
                obj, digest_objects(built), outcome, revision=revision, now=now, took_s=took_s
            )

        try:
            await self._realize(obj, attempt, built)
        except _FailedError as failed:
            record(failed.reason)
            raise
        status["lastAppliedRevision"] = revision
        self._context.conditions(obj).mark(
            "Ready", "True", "ReconciliationSucceeded", f"Applied revision: {revision}"
        )
        record("ReconciliationSucceeded")

    async def _build(self, obj: Object, artifact: Artifact) -> list[Object]:
        if artifact.path is None:
            return []  # the lab has no such bundle of Flux itself to build from
        path = text(obj, "spec", "path") or "./"
        if not (artifact.path / path.removeprefix("./")).exists():
            raise _FailedError(
                "ArtifactFailed",
                f"kustomization path not found: stat /tmp/kustomization/{path.removeprefix('./')}: "
                "no such file or directory",
            )
        try:
            objects = await self._builder.build(obj, artifact.path)
        except BuildError as failed:
            raise _FailedError("BuildFailed", str(failed)) from failed
        mark_owner(objects, obj)
        return objects

    async def _realize(self, obj: Object, attempt: _Attempt, built: list[Object]) -> None:
        """Apply, prune and wait."""
        before = parse_inventory(obj)
        if attempt.artifact.path is None:
            applied = await self._take_as_it_is()
        else:
            applied = await self._apply(obj, built)
        grow(obj, "status")["inventory"] = write_inventory(applied.references)
        self._context.clock.ledger.count(f"kustomization.apply/{name_of(obj)}")
        await self._prune(obj, before, applied.references)
        await self._check_health(obj, applied, attempt)

    async def _apply(self, obj: Object, objects: list[Object]) -> Applied:
        try:
            applied = await self._applier.apply(objects)
        except ApplyError as failed:
            raise _FailedError("ReconciliationFailed", str(failed)) from failed
        if applied.changed:
            await self._context.emit(obj, "Progressing", "\n".join(applied.changed))
        return applied

    async def _take_as_it_is(self) -> Applied:
        """Own what is there of Flux itself."""
        applied = Applied()
        for kind in (
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
            ("apps/v1", "Deployment"),
        ):
            found = await self._context.client.peek(*kind, labels="app.kubernetes.io/part-of=flux")
            applied.references.extend(refer_to(obj) for obj in found)
        return applied

    async def _prune(self, obj: Object, before: list[Reference], now: list[Reference]) -> None:
        if dig(obj, "spec", "prune") is not True:
            return
        kept = {(item.kind, item.namespace, item.name) for item in now}
        stale = [item for item in before if (item.kind, item.namespace, item.name) not in kept]
        try:
            deleted = await self._applier.prune(stale)
        except ApiError as refused:
            raise _FailedError("PruneFailed", refused.message) from refused
        if deleted:
            await self._context.emit(obj, "Progressing", "\n".join(deleted))

    async def _check_health(self, obj: Object, applied: Applied, attempt: _Attempt) -> None:
        conditions, revision = self._context.conditions(obj), attempt.artifact.revision
        checked = applied.choose_checked(obj)
        if not checked:
            conditions.drop("Healthy")
            return
        timeout_s = _timeout_of(obj)
        message = (
            f"Running health checks for revision {revision} with a timeout of "
            f"{format_duration(timeout_s)}"
        )
        conditions.mark("Healthy", "Unknown", "Progressing", message)
        await self._progress(obj, message)
        begun_s = self._context.clock.elapsed_s()
        try:
            await self._readiness.wait(
                checked, timeout_s, health=attempt.health, interrupt=attempt.newer
            )
        except NotReadyError as late:
            waited = format_duration(self._context.clock.elapsed_s() - begun_s)
            conditions.mark("Healthy", "False", "HealthCheckFailed", str(late))
            raise _FailedError(
                "HealthCheckFailed", f"health check failed after {waited}: {late}"
            ) from late
        waited = format_duration(self._context.clock.elapsed_s() - begun_s)
        conditions.mark("Healthy", "True", "Succeeded", f"Health check passed in {waited}")

    async def _find_artifact(self, obj: Object) -> Artifact | None:
        kind, namespace, name = source_key_of(obj)
        source = await self._context.client.find(_SOURCE_API, kind, name, namespace)
        if source is None:
            # As a client that reads from its cache says it, by the kind.
            raise NotFoundError.of(kind, _SOURCE_API.partition("/")[0], name)
        if dig(source, "status", "artifact") is None:
            return None
        return self._artifacts.get((kind, namespace, name))

    async def _progress(self, obj: Object, message: str) -> None:
        conditions = self._context.conditions(obj)
        conditions.mark("Ready", "Unknown", "Progressing", "Reconciliation in progress")
        conditions.mark("Reconciling", "True", "Progressing", message)
        await self._context.write_status(obj)

    def _close(self, obj: Object) -> None:
        """End an attempt: observedGeneration moves with success, or a stall (finalizeStatus)."""
        note_handled(obj)
        conditions = self._context.conditions(obj)
        is_terminal = conditions.reason("Ready") == "InvalidCELExpression"
        if conditions.is_status("Ready", "True") or is_terminal:
            conditions.drop("Reconciling")
            grow(obj, "status")["observedGeneration"] = number(obj, "metadata", "generation")
        elif conditions.is_status("Ready", "False") and conditions.find("Reconciling"):
            message = conditions.message("Reconciling")
            conditions.mark("Reconciling", "True", "ProgressingWithRetry", message)
        status = grow(obj, "status")
        if dig(status, "observedGeneration") is None:
            status["observedGeneration"] = -1

    async def _finalize(self, obj: Object) -> None:
        """Delete what the object owns, then let it go; a suspended one leaves everything."""
        prunes = dig(obj, "spec", "prune") is True and not is_suspended(obj)
        if prunes and text(obj, "spec", "deletionPolicy") != "Orphan":
            await self._applier.prune(parse_inventory(obj))
        if has_finalizer(obj):
            await self._context.set_finalizer(obj, present=False)


def _timeout_of(obj: Object) -> float:
    """`spec.timeout`, by default the interval less half a minute; half a minute at least."""
    interval_s = parse_duration(text(obj, "spec", "interval"), 600.0)
    return max(parse_duration(text(obj, "spec", "timeout"), interval_s - 30.0), 30.0)

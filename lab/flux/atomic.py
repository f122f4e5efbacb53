"""One release brought to what is wanted: install, upgrade, remedy, or leave it alone.

Follows `internal/reconcile/atomic_release.go` of helm-controller v1.6: the state is read anew
from Helm's records before each action, a failed action is remedied once an attempt, and the
attempts are counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lab.flux.actions import HelmActions, HelmError, Target
from lab.flux.counting import (
    COUNTERS,
    aim,
    clear_failures,
    is_exhausted,
    record_release,
    release_name_of,
    release_namespace_of,
    take_request,
    was_changed,
)
from lab.flux.durations import format_duration
from lab.flux.health import Health
from lab.flux.manifests import parse_manifests
from lab.flux.objects import FORCE_AT, Context
from lab.flux.queue import RetryError
from lab.flux.rendering import Chart, Rendered, Renderer, RenderError
from lab.flux.storage import Release, ReleaseStorage, digest_values
from lab.kubernetes.values import Json, Object, at, dig, grow, maps, number, text

__all__ = ["AtomicRelease", "ReleaseRequest", "StalledError"]


class StalledError(Exception):
    """Out of attempts: nothing more happens until spec, values or annotations change."""


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """A HelmRelease (its status is changed in place) with its chart and values at hand."""

    obj: Object
    chart: Chart
    values: Mapping[str, Json]
    health: Health

    @property
    def name(self) -> str:
        """The release's name."""
        return release_name_of(self.obj)

    @property
    def namespace(self) -> str:
        """Where the release goes."""
        return release_namespace_of(self.obj)


class AtomicRelease:
    """Runs Helm actions until the release is in sync, or the attempt is over."""

    def __init__(self, context: Context, renderer: Renderer, actions: HelmActions) -> None:
        self._context = context
        self._renderer = renderer
        self._actions = actions

    async def reconcile(self, request: ReleaseRequest) -> None:
        """Bring the release in sync.

        Raises:
            RetryError: the action failed; another attempt follows.
            StalledError: it failed once too often.
        """
        if was_changed(request.obj, request.chart, request.values):
            clear_failures(request.obj)
            self._context.conditions(request.obj).drop("Stalled")
        forced = take_request(request.obj, FORCE_AT, "lastHandledForceAt")
        storage = ReleaseStorage(self._context, request.name, request.namespace)
        last = next(iter(await storage.list()), None)
        if last is not None and last.is_pending:
            last = await storage.close(last, "failed", last.manifest)
        action = self._choose(request, last, forced=forced)
        if action == "remediate":
            await self._remediate(request, storage)
            action = self._choose(request, next(iter(await storage.list()), None), forced=forced)
        if action in COUNTERS:
            await self._act(request, storage, action)
        elif not action:
            self._summarize(request.obj)

    async def uninstall(self, obj: Object) -> None:
        """Remove the release and its records."""
        storage = ReleaseStorage(self._context, release_name_of(obj), release_namespace_of(obj))
        target = aim(obj, "uninstall")
        for release in (await storage.list())[:1]:
            await self._actions.remove(release.manifest, target)
        await storage.remove()

    def _choose(self, request: ReleaseRequest, last: Release | None, *, forced: bool) -> str:
        """Choose the next action; "" when there is nothing to do."""
        obj = request.obj
        if last is None:
            if is_exhausted(obj, "install") and not forced:
                self._stall(obj)
            return "install"
        history = maps(obj, "status", "history")
        if not history or history[0].get("digest") != last.digest:
            return "upgrade"  # somebody else's release, or changed behind our back: take over
        if last.status == "failed":
            return self._choose_after_failure(obj, forced=forced)
        same = (
            last.chart_name == request.chart.name
            and last.chart_version == request.chart.version
            and digest_values(last.config) == digest_values(request.values)
        )
        if same and not forced:
            return ""
        if is_exhausted(obj, "upgrade") and not forced:
            self._stall(obj)
        return "upgrade"

    def _choose_after_failure(self, obj: Object, *, forced: bool) -> str:
        action = text(obj, "status", "lastAttemptedReleaseAction") or "install"
        if forced or not number(obj, "status", COUNTERS[action]):
            return "upgrade"
        remedies_last = dig(obj, "spec", action, "remediation", "remediateLastFailure")
        if remedies_last is None:
            # Default: upgrades with retries remedy their last failure, installs do not.
            retries = number(obj, "spec", action, "remediation", "retries")
            remedies_last = action == "upgrade" and retries > 0
        if is_exhausted(obj, action) and remedies_last is not True:
            self._stall(obj)
        return "remediate"

    def _summarize(self, obj: Object) -> None:
        """Say of a release with nothing to do what became of it, as `summarize` does.

        It may have been said to be not ready meanwhile: its source was away.
        """
        conditions = self._context.conditions(obj)
        if conditions.is_status("Released", "True"):
            reason, message = conditions.reason("Released"), conditions.message("Released")
            conditions.mark("Ready", "True", reason, message)

    async def _act(self, request: ReleaseRequest, storage: ReleaseStorage, action: str) -> None:
        obj, conditions = request.obj, self._context.conditions(request.obj)
        status, target = grow(obj, "status"), aim(request.obj, action, request.health)
        timeout = format_duration(target.timeout_s)
        message = f"Running '{action}' action with timeout of {timeout}"
        conditions.mark("Reconciling", "True", "Progressing", message)
        conditions.mark("Ready", "Unknown", "Progressing", message)
        await self._context.write_status(obj)
        status["lastAttemptedReleaseAction"] = action
        try:
            rendered = await self._render(request, target, upgrade=action == "upgrade")
        except HelmError as failed:
            await self._fail(request, action, str(failed))
            raise RetryError from failed
        self._context.clock.ledger.count(f"helm.{action}/{target.namespace}/{target.name}")
        release = await storage.begin(request.chart, request.values, action)
        try:
            await self._roll_out(target, rendered, storage, action)
        except HelmError as failed:
            # Only what reached Helm's storage counts against the retries.
            status[COUNTERS[action]] = number(status, COUNTERS[action]) + 1
            closed = await storage.close(release, "failed", rendered.manifest)
            record_release(obj, closed, action)
            await self._fail(request, action, str(failed))
            raise RetryError from failed
        release = await storage.close(release, "deployed", rendered.manifest)
        record_release(obj, release, action)
        done = f"Helm {action} succeeded for release {_describe(release)}"
        clear_failures(obj)
        conditions.drop("Remediated")
        conditions.mark("Released", "True", f"{action.title()}Succeeded", done)
        conditions.mark("Ready", "True", f"{action.title()}Succeeded", done)
        await self._context.emit(obj, f"{action.title()}Succeeded", done)

    async def _render(self, request: ReleaseRequest, target: Target, *, upgrade: bool) -> Rendered:
        """Render, apply the chart's own definitions, and check before anything is recorded."""
        try:
            rendered = await self._renderer.render(
                request.chart, request.name, request.namespace, request.values
            )
        except RenderError as failed:
            raise HelmError(str(failed)) from failed
        applied = await self._actions.apply_crds(target, rendered.crds)
        if applied and request.chart.asks_for_apis:
            # Helm asks the cluster for its APIs after the definitions are in.
            rendered = await self._renderer.render(
                request.chart, request.name, request.namespace, request.values
            )
        await self._actions.check(target, rendered, upgrade=upgrade)
        return rendered

    async def _roll_out(
        self, target: Target, rendered: Rendered, storage: ReleaseStorage, action: str
    ) -> None:
        before = [item for item in await storage.list() if item.status == "deployed"]
        await self._actions.run_hooks(target, rendered.hooks, f"pre-{action}")
        known = [obj for older in before[:1] for obj in parse_manifests(older.manifest)]
        references = await self._actions.create(
            target, rendered.objects, known if action == "upgrade" else None
        )
        for older in before[:1]:
            await self._actions.remove(older.manifest, target, keep=references)
        await self._actions.wait(target, references)
        await self._actions.run_hooks(target, rendered.hooks, f"post-{action}")

    async def _fail(self, request: ReleaseRequest, action: str, reason: str) -> None:
        obj, status = request.obj, grow(request.obj, "status")
        status["failures"] = number(status, "failures") + 1
        message = (
            f"Helm {action} failed for release {request.namespace}/{request.name} with chart "
            f"{request.chart.name}@{request.chart.version}: {reason}"
        )
        conditions = self._context.conditions(obj)
        for kind in ("Released", "Ready"):
            conditions.mark(kind, "False", f"{action.title()}Failed", message)
        conditions.mark("Reconciling", "True", "ProgressingWithRetry", message)
        await self._context.emit(obj, f"{action.title()}Failed", message, warning=True)

    async def _remediate(self, request: ReleaseRequest, storage: ReleaseStorage) -> None:
        """Uninstall a failed install; roll a failed upgrade back (or uninstall it)."""
        obj = request.obj
        action = text(obj, "status", "lastAttemptedReleaseAction") or "install"
        strategy = text(obj, "spec", action, "remediation", "strategy") or "rollback"
        releases = await storage.list()
        good = [item for item in releases if item.status in {"deployed", "superseded"}]
        target = aim(obj, "rollback")
        conditions = self._context.conditions(obj)
        if action == "install" or strategy == "uninstall" or not good:
            await self._actions.remove(releases[0].manifest, target)
            await storage.remove()
            grow(obj, "status")["history"] = []
            message = f"Helm uninstall remediation for release {_describe(releases[0])} succeeded"
            conditions.mark("Remediated", "True", "UninstallSucceeded", message)
            return
        objects = [
            item
            for item in parse_manifests(good[0].manifest)
            if "helm.sh/hook" not in at(item, "metadata", "annotations")
        ]
        references = await self._actions.create(target, objects)
        await self._actions.remove(releases[0].manifest, target, keep=references)
        # A rollback is a revision of its own.
        record_release(obj, await storage.repeat(good[0]), "rollback")
        message = f"Helm rollback to previous release {_describe(good[0])} succeeded"
        for kind in ("Remediated", "Ready"):
            status = "True" if kind == "Remediated" else "False"
            conditions.mark(kind, status, "RollbackSucceeded", message)
        if is_exhausted(obj, action):
            self._stall(obj)

    def _stall(self, obj: Object) -> None:
        action = text(obj, "status", "lastAttemptedReleaseAction") or "install"
        failures = number(obj, "status", COUNTERS[action])
        message = f"Failed to {action} after {failures} attempt(s)"
        self._context.conditions(obj).mark("Stalled", "True", "RetriesExceeded", message)
        raise StalledError(message)


def _describe(release: Release) -> str:
    full_name = f"{release.namespace}/{release.name}.v{release.version}"
    return f"{full_name} with chart {release.chart_name}@{release.chart_version}"

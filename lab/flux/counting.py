"""What a HelmRelease's status remembers between attempts: requests, failures, history."""

from __future__ import annotations

from collections.abc import Mapping

from lab.flux.actions import Target
from lab.flux.durations import parse_duration
from lab.flux.health import Health
from lab.flux.objects import RESET_AT
from lab.flux.queue import REQUESTED_AT
from lab.flux.rendering import Chart
from lab.flux.storage import Release, digest_values
from lab.kubernetes.values import Json, Object, at, grow, maps, name_of, namespace_of, number, text

__all__ = [
    "COUNTERS",
    "aim",
    "clear_failures",
    "is_exhausted",
    "record_release",
    "release_name_of",
    "release_namespace_of",
    "take_request",
    "was_changed",
]

_DEFAULT_TIMEOUT_S = 300.0
_DEFAULT_MAX_HISTORY = 5
# Counter of failed actions in the status, by action.
COUNTERS: Mapping[str, str] = {"install": "installFailures", "upgrade": "upgradeFailures"}


def release_name_of(obj: Object) -> str:
    """`spec.releaseName`, else target namespace and name, as helm-controller composes it."""
    given = text(obj, "spec", "releaseName")
    prefix = text(obj, "spec", "targetNamespace")
    return (given or (f"{prefix}-{name_of(obj)}" if prefix else name_of(obj)))[:53]


def release_namespace_of(obj: Object) -> str:
    """`spec.targetNamespace`, else the object's own."""
    return text(obj, "spec", "targetNamespace") or namespace_of(obj)


def aim(obj: Object, action: str, health: Health | None = None) -> Target:
    """Read the settings of an action from the spec; Helm's own strategy has no expressions."""
    is_legacy = text(obj, "spec", "waitStrategy", "name") == "legacy"
    settings = at(obj, "spec", action)
    default_s = parse_duration(text(obj, "spec", "timeout"), _DEFAULT_TIMEOUT_S)
    return Target(
        name=release_name_of(obj),
        namespace=release_namespace_of(obj),
        timeout_s=parse_duration(text(settings, "timeout"), default_s),
        crds=text(settings, "crds") or "Create",
        waits=settings.get("disableWait") is not True,
        hooks=settings.get("disableHooks") is not True,
        takes_ownership=settings.get("disableTakeOwnership") is not True,
        owner=(namespace_of(obj), name_of(obj)),
        health=None if is_legacy else health,
    )


def is_exhausted(obj: Object, action: str) -> bool:
    """Tell whether an action failed more often than its retries allow (-1: never)."""
    retries = number(obj, "spec", action, "remediation", "retries")
    return retries >= 0 and number(obj, "status", COUNTERS[action]) > retries


def clear_failures(obj: Object) -> None:
    """Forget every failure."""
    for counter in ("failures", *COUNTERS.values()):
        grow(obj, "status").pop(counter, None)


def was_changed(obj: Object, chart: Chart, values: Mapping[str, Json]) -> bool:
    """Note what is attempted now; tell whether it, or a reset request, ends earlier failures."""
    status, digest = grow(obj, "status"), digest_values(values)
    wanted: Object = {
        "lastAttemptedGeneration": number(obj, "metadata", "generation"),
        "lastAttemptedRevision": chart.version,
        "lastAttemptedConfigDigest": digest,
    }
    asked = take_request(obj, RESET_AT, "lastHandledResetAt")
    changed = asked or any(status.get(key) != value for key, value in wanted.items())
    status.update(wanted)
    status["storageNamespace"] = release_namespace_of(obj)
    return changed


def take_request(obj: Object, annotation: str, handled: str) -> bool:
    """Tell whether an annotation asks for something: it must equal requestedAt, and be new."""
    annotations, status = at(obj, "metadata", "annotations"), grow(obj, "status")
    asked = annotations.get(annotation)
    if asked is None or asked == status.get(handled):
        return False
    status[handled] = asked
    is_new = asked != status.get("lastHandledReconcileAt")
    return asked == annotations.get(REQUESTED_AT) and is_new


def record_release(obj: Object, release: Release, action: str) -> None:
    """Put a revision in front of `status.history`."""
    status = grow(obj, "status")
    older = [item for item in maps(status, "history") if item.get("version") != release.version]
    if release.status == "deployed":
        older = [
            {**item, "status": "superseded"} if item.get("status") == "deployed" else item
            for item in older
        ]
    # What was deployed before stays, and what failed since; nothing older than that.
    previous = [place for place, item in enumerate(older) if item.get("status") == "superseded"]
    newest = release.describe(action)
    if digest := text(status, "lastAttemptedRevisionDigest"):
        newest["ociDigest"] = digest
    kept: list[Json] = [newest, *older[: previous[0] + 1 if previous else None]]
    status["history"] = kept[: number(obj, "spec", "maxHistory", default=_DEFAULT_MAX_HISTORY)]

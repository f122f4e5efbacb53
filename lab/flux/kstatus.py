"""What kstatus says of an object: InProgress, Current, Failed, Terminating.

The rules are those of cli-utils' `pkg/kstatus/status` (facts: flux.md section 9.4).
"""

from __future__ import annotations

from lab.kubernetes.values import Object, at, dig, maps, number, text

__all__ = [
    "CURRENT",
    "FAILED",
    "IN_PROGRESS",
    "NOT_FOUND",
    "TERMINATING",
    "UNKNOWN",
    "judge_status",
]

CURRENT = "Current"
FAILED = "Failed"
IN_PROGRESS = "InProgress"
NOT_FOUND = "NotFound"
TERMINATING = "Terminating"
UNKNOWN = "Unknown"
# Flux' CRDs default status.observedGeneration to -1, so that a new object is never Current.
_FLUX_GROUP = ".toolkit.fluxcd.io"
# Since v1beta3 these have no status at all (notification-controller 1.3): they are Current.
_STATIC = ("notification.toolkit.fluxcd.io/v1beta3", frozenset({"Alert", "Provider"}))


def judge_status(obj: Object) -> str:
    """Judge one object by its generation, its conditions and the rules of its kind."""
    if dig(obj, "metadata", "deletionTimestamp"):
        return TERMINATING
    group = text(obj, "apiVersion").rpartition("/")[0]
    is_static = text(obj, "apiVersion") == _STATIC[0] and text(obj, "kind") in _STATIC[1]
    if group.endswith(_FLUX_GROUP) and not at(obj, "status") and not is_static:
        return IN_PROGRESS
    observed = dig(obj, "status", "observedGeneration")
    if observed is not None and observed != dig(obj, "metadata", "generation"):
        return IN_PROGRESS
    rule = _RULES.get((group, text(obj, "kind")))
    return rule(obj) if rule is not None else _judge_conditions(obj)


def _condition(obj: Object, kind: str) -> str:
    for item in maps(obj, "status", "conditions"):
        if item.get("type") == kind:
            return text(item, "status")
    return ""


def _judge_conditions(obj: Object) -> str:
    if _condition(obj, "Reconciling") == "True":
        return IN_PROGRESS
    if _condition(obj, "Stalled") == "True":
        return FAILED
    ready = _condition(obj, "Ready")
    return CURRENT if ready in {"", "True"} else IN_PROGRESS


def _judge_deployment(obj: Object) -> str:
    for item in maps(obj, "status", "conditions"):
        if item.get("type") == "Progressing" and item.get("reason") == "ProgressDeadlineExceeded":
            return FAILED
    wanted = number(obj, "spec", "replicas", default=1)
    status = at(obj, "status")
    if "observedGeneration" not in status and wanted:
        return IN_PROGRESS
    counts = (
        number(status, "updatedReplicas"),
        number(status, "readyReplicas"),
        number(status, "availableReplicas"),
    )
    if min(counts) < wanted or number(status, "replicas") > wanted:
        return IN_PROGRESS
    return CURRENT


def _judge_stateful_set(obj: Object) -> str:
    wanted = number(obj, "spec", "replicas", default=1)
    status = at(obj, "status")
    counts = (number(status, "replicas"), number(status, "readyReplicas"))
    return CURRENT if min(counts) >= wanted or not wanted else IN_PROGRESS


def _judge_daemon_set(obj: Object) -> str:
    status = at(obj, "status")
    if "desiredNumberScheduled" not in status:
        return IN_PROGRESS
    wanted = number(status, "desiredNumberScheduled")
    counts = (
        number(status, "updatedNumberScheduled", default=wanted),
        number(status, "numberAvailable"),
        number(status, "numberReady"),
    )
    return CURRENT if min(counts) >= wanted else IN_PROGRESS


def _judge_job(obj: Object) -> str:
    # A Job that runs is Current for kstatus; Helm and Flux wait for its completion on top.
    if _condition(obj, "Failed") == "True":
        return FAILED
    return CURRENT if _condition(obj, "Complete") == "True" else IN_PROGRESS


def _judge_pod(obj: Object) -> str:
    phase = text(obj, "status", "phase")
    if phase == "Succeeded" or _condition(obj, "Ready") == "True":
        return CURRENT
    return FAILED if phase == "Failed" else IN_PROGRESS


def _judge_claim(obj: Object) -> str:
    return CURRENT if text(obj, "status", "phase") == "Bound" else IN_PROGRESS


def _judge_service(obj: Object) -> str:
    if text(obj, "spec", "type") != "LoadBalancer":
        return CURRENT
    return CURRENT if text(obj, "spec", "clusterIP") else IN_PROGRESS


def _judge_crd(obj: Object) -> str:
    for item in maps(obj, "status", "conditions"):
        if item.get("type") == "NamesAccepted" and item.get("status") == "False":
            return FAILED
    return CURRENT if _condition(obj, "Established") == "True" else IN_PROGRESS


_RULES = {
    ("apps", "Deployment"): _judge_deployment,
    ("apps", "StatefulSet"): _judge_stateful_set,
    ("apps", "DaemonSet"): _judge_daemon_set,
    ("batch", "Job"): _judge_job,
    ("", "Pod"): _judge_pod,
    ("", "PersistentVolumeClaim"): _judge_claim,
    ("", "Service"): _judge_service,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _judge_crd,
}

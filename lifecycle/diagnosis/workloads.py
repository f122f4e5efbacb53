"""Why a workload is not ready: by its pods, or why it has none."""

from __future__ import annotations

from collections.abc import Sequence

from lifecycle.diagnosis.scene import Scene
from lifecycle.diagnosis.values import Diagnosis, Key, key_of
from lifecycle.drivers.documents import number_at
from lifecycle.drivers.kubernetes import KubernetesObject
from lifecycle.world.snapshot import describe_workload, is_workload_ready

__all__ = ["explain_job", "explain_workload", "list_pods"]

# Diagnoses that say no more than that something is not ready: another pod may say more.
_VAGUE = frozenset({"pod-not-ready", "claim-pending"})


def explain_workload(scene: Scene, key: Key, item: KubernetesObject | None) -> Diagnosis | None:
    """Explain a Deployment, StatefulSet or DaemonSet."""
    if item is None or is_workload_ready(item):
        return None
    found = _explain_pods(scene, item)
    return found.under(f"{key}: {describe_workload(item)}")


def explain_job(scene: Scene, key: Key, item: KubernetesObject | None) -> Diagnosis | None:
    """Explain a Job that has not completed."""
    if item is None or item.has_condition("Complete"):
        return None
    failed = item.condition("Failed")
    said = f"{failed.reason}: {failed.message}" if failed and failed.is_true else "not complete"
    tries = number_at(item.raw, "status", "failed")
    return _explain_pods(scene, item).under(f"{key}: {said}, {tries} pod(s) failed")


def list_pods(scene: Scene, item: KubernetesObject) -> tuple[KubernetesObject, ...]:
    """Return a workload's pods; those of a Deployment belong to its ReplicaSets."""
    owners: Sequence[KubernetesObject] = (item,)
    if item.kind == "Deployment":
        owners = scene.sight.owned_by(item, "ReplicaSet")
    return tuple(pod for owner in owners for pod in scene.sight.owned_by(owner, "Pod"))


def _explain_pods(scene: Scene, item: KubernetesObject) -> Diagnosis:
    """Explain the pod that tells most; without pods, why there are none."""
    vague: Diagnosis | None = None
    for pod in list_pods(scene, item):
        found = scene.explain(key_of(pod))
        if found and found.signature not in _VAGUE:
            return found
        vague = vague or found
    return vague or _explain_lack(scene, item)


def _explain_lack(scene: Scene, item: KubernetesObject) -> Diagnosis:
    sets = scene.sight.owned_by(item, "ReplicaSet")
    for owner in (*sets, item):
        for said in scene.sight.tell_events(key_of(owner)):
            return scene.blame(said, "no-pods").under(f"{key_of(owner)}: {said}")
    for condition in item.conditions():
        if condition.type == "ReplicaFailure" and condition.is_true:
            return scene.blame(condition.message, "no-pods")
    return scene.name_cause("no-pods", reason=_describe_conditions(item))


def _describe_conditions(item: KubernetesObject) -> str:
    said = [f"{c.reason}: {c.message}" for c in item.conditions() if not c.is_true]
    return "; ".join(said) or "nothing says why"

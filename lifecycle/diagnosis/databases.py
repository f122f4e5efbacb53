"""Why a database of CloudNativePG is not ready."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lifecycle.diagnosis.catalogue import match_message
from lifecycle.diagnosis.scene import Scene
from lifecycle.diagnosis.values import Diagnosis, Key, key_of
from lifecycle.drivers.documents import (
    Json,
    list_at,
    number_at,
    object_at,
    text_at,
)
from lifecycle.drivers.kubernetes import KubernetesObject
from lifecycle.world.databases import describe_unready

__all__ = ["explain_database", "find_awaited_database"]

# By which Jobs an instance is filled from something that must be there.
_RECOVERIES: Final = frozenset({"full-recovery", "snapshot-recovery", "pgbasebackup"})
_ASKED = re.compile(r"\bpg_isready\b[^;\n]*?\s-h\s+([\w-]+)")
_OPERATOR = "cloudnative-pg"


def explain_database(scene: Scene, key: Key, item: KubernetesObject | None) -> Diagnosis | None:
    """Explain a Cluster: by its phase, its Jobs, its pods, and its claims."""
    how = describe_unready(item) if item is not None else ""
    if item is None or not how:
        return None
    reason = text_at(item.raw, "status", "phaseReason")
    said = f"{how} ({reason})" if reason else how
    found = _explain_operator(scene, item) or _explain_phase(scene, said)
    found = found or _explain_jobs(scene, item) or _explain_origin(scene, item)
    found = found or scene.explain_first(_list_parts(scene, item))
    found = found or scene.name_cause("database-not-ready", reason=said)
    return found.under(f"{key}: {said}")


def find_awaited_database(scene: Scene, pod: KubernetesObject) -> Diagnosis | None:
    """Explain the database that a pod's init container asks for before the others may start."""
    waiting = {
        text_at(status, "name")
        for status in list_at(pod.raw, "status", "initContainerStatuses")
        if "running" in object_at(status, "state")
    }
    for container in list_at(pod.raw, "spec", "initContainers"):
        if text_at(container, "name") not in waiting:
            continue
        for host in _ASKED.findall(_join_words(container)):
            found = scene.explain(_find_database(scene, pod.namespace, host))
            if found:
                return found.under(f"container {text_at(container, 'name')} waits for {host}")
    return None


def _find_database(scene: Scene, namespace: str, host: str) -> Key:
    service = scene.sight.find(Key("Service", namespace, host))
    labelled = service.labels.get("cnpg.io/cluster", "") if service else ""
    return Key("Cluster", namespace, labelled or re.sub(r"-(rw|ro|r)$", "", host))


def _join_words(container: Json) -> str:
    words = [*list_at(container, "command"), *list_at(container, "args")]
    return " ".join(word for word in words if isinstance(word, str))


def _explain_operator(scene: Scene, item: KubernetesObject) -> Diagnosis | None:
    """Explain why nobody has taken a Cluster up."""
    if object_at(item.raw, "status"):
        return None
    for release in scene.sight.of_kind("HelmRelease"):
        if _OPERATOR in release.name:
            found = scene.explain(key_of(release))
            if found:
                return found.under(f"{key_of(release)} brings CloudNativePG")
    runs = any(_OPERATOR in item.name for item in scene.sight.of_kind("Deployment"))
    return None if runs else scene.name_cause("database-without-operator")


def _explain_phase(scene: Scene, said: str) -> Diagnosis | None:
    match = match_message(said)
    is_own = match is not None and match.signature.id.startswith("database-")
    return scene.blame(said, "database-not-ready") if is_own else None


def _explain_jobs(scene: Scene, item: KubernetesObject) -> Diagnosis | None:
    for job in scene.sight.owned_by(item, "Job"):
        tries = number_at(job.raw, "status", "failed")
        if tries and job.labels.get("cnpg.io/jobRole") in _RECOVERIES:
            return scene.name_cause("recovery-failing", job=job.name, tries=str(tries))
    return None


def _explain_origin(scene: Scene, item: KubernetesObject) -> Diagnosis | None:
    """Explain a Cluster that waits for an object to recover from, which its phase never says."""
    recovery = object_at(item.raw, "spec", "bootstrap", "recovery")
    if text_at(item.raw, "status", "phase") or not recovery:
        return None
    name = text_at(recovery, "backup", "name")
    if name:
        return scene.name_cause("recovery-without-origin", source=f"Backup {name}")
    name = text_at(recovery, "volumeSnapshots", "storage", "name")
    if name:
        return scene.name_cause("recovery-without-origin", source=f"VolumeSnapshot {name}")
    return None


def _list_parts(scene: Scene, item: KubernetesObject) -> Iterator[Key]:
    """List what belongs to a Cluster: the Jobs and pods, which name what their claims lack."""
    for kind in ("Job", "Pod", "PersistentVolumeClaim"):
        yield from (key_of(part) for part in scene.sight.owned_by(item, kind))

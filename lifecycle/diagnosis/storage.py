"""Why a claim is not bound, or a volume not healthy."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lifecycle.diagnosis.catalogue import match_message
from lifecycle.diagnosis.scene import Scene
from lifecycle.diagnosis.values import Diagnosis, Key, key_of
from lifecycle.drivers.documents import number_at, text_at
from lifecycle.drivers.kubernetes import KubernetesObject
from lifecycle.world.restores import list_errors, read_failed_log

__all__ = ["explain_claim", "explain_volume"]

_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_TELLING = re.compile(r"(?i)\b(error|fatal|failed)\b")
_FULL = "insufficient storage"  # of longhorn-manager's reasons
# Parts of provisioners' names that say nothing about who provisions.
_COMMON = {"csi", "driver", "k8s", "io", "com", "org", "net", "x-k8s", "sigs"}


def explain_claim(scene: Scene, key: Key, item: KubernetesObject | None) -> Diagnosis | None:
    """Explain a claim: its class, who provisions for it, what it is to be filled from."""
    if item is None:
        return None
    if text_at(item.raw, "status", "phase") == "Bound":
        return _explain_backing(scene, item)
    found = _explain_class(scene, item)
    found = found or _explain_events(scene, key) or _explain_populator(scene, item)
    found = found or scene.name_cause("claim-pending", reason=_describe(scene, item))
    return found.under(f"{key}: {_describe(scene, item)}")


def _explain_backing(scene: Scene, item: KubernetesObject) -> Diagnosis | None:
    """Explain the volume that a bound claim has, when it can be attached to nobody."""
    name = text_at(item.raw, "spec", "volumeName")
    for volume in scene.sight.of_kind("Volume"):
        if volume.name == name and text_at(volume.raw, "status", "state") == "detached":
            return scene.explain(key_of(volume))
    return None


def explain_volume(scene: Scene, key: Key, item: KubernetesObject | None) -> Diagnosis | None:
    """Explain a Longhorn volume that has no room for its replicas, or is attached and ill."""
    if item is None:
        return None
    placed = item.condition("Scheduled")
    is_attached = text_at(item.raw, "status", "state") == "attached"
    if placed and not placed.is_true and (_FULL in placed.message or not is_attached):
        claim = text_at(item.raw, "status", "kubernetesStatus", "pvcName")
        size = _describe_size(text_at(item.raw, "spec", "size"))
        found = scene.name_cause(
            "volume-unplaced", claim=claim, size=size, reason=placed.message or placed.reason
        )
        return found.under(f"{key}: {placed.reason}: {placed.message}")
    if not is_attached:
        return None
    robustness = text_at(item.raw, "status", "robustness")
    if robustness == "healthy":
        return None
    said = [f"{c.reason}: {c.message}" for c in item.conditions() if c.message]
    reason = "; ".join(said) or "nothing says why"
    return scene.name_cause("volume-unhealthy", robustness=robustness or "unknown", reason=reason)


def _describe_size(written: str) -> str:
    """Return a number of bytes in GiB."""
    return f"{int(written) / 2**30:.1f} GiB" if written.isdigit() else written


def _explain_class(scene: Scene, item: KubernetesObject) -> Diagnosis | None:
    """Explain a class that is missing, or that nobody provisions for."""
    name = text_at(item.raw, "spec", "storageClassName")
    if not name:
        return _explain_lack_of_default(scene, item)
    wanted = Key("StorageClass", "", name)
    found = scene.sight.find(wanted)
    if found is not None:
        return _explain_provisioner(scene, found)
    owner = scene.facts.kustomization_of(wanted)
    brought = scene.explain(owner) if owner else None
    if brought:
        return brought.under(f"StorageClass {name} is not there; {owner} applies it")
    provider = _find_release(scene, name)
    brought = scene.explain(provider) if provider else None
    if brought:
        return brought.under(f"StorageClass {name} is not there; {provider} may bring it")
    fields = {"class": name, "similar": scene.suggest(wanted)}
    return scene.name_cause("storage-class-missing", **fields)


def _explain_lack_of_default(scene: Scene, item: KubernetesObject) -> Diagnosis | None:
    if item.spec.get("storageClassName") == "":
        return None  # wants a volume made by hand
    classes = scene.sight.of_kind("StorageClass")
    if any(c.annotations.get(_DEFAULT_CLASS) == "true" for c in classes):
        return None
    return scene.name_cause("storage-class-unnamed")


def _explain_provisioner(scene: Scene, storage: KubernetesObject) -> Diagnosis | None:
    """Explain the release that provisions for a class, when it is not ready."""
    provisioner = text_at(storage.raw, "provisioner")
    for word in _words_of(provisioner):
        release = _find_release(scene, word)
        found = scene.explain(release) if release else None
        if found:
            return found.under(f"StorageClass {storage.name} is provisioned by {provisioner}")
    for workload in _list_workloads(scene, provisioner):
        found = scene.explain(key_of(workload))
        if found:
            return found.under(f"StorageClass {storage.name} is provisioned by {provisioner}")
    return None


def _explain_events(scene: Scene, key: Key) -> Diagnosis | None:
    for said in scene.sight.tell_events(key, normal=True):
        if match_message(said):
            return scene.blame(said, "claim-pending").under(f"{key}: {said}")
    return None


def _explain_populator(scene: Scene, item: KubernetesObject) -> Diagnosis | None:
    kind = text_at(item.raw, "spec", "dataSourceRef", "kind")
    if kind in {"", "PersistentVolumeClaim"}:
        return None
    name = text_at(item.raw, "spec", "dataSourceRef", "name")
    source = f"{kind} {name}"
    restore = scene.sight.find(Key(kind, item.namespace, name))
    if restore is not None and (said := _explain_restore(scene, restore)):
        return scene.blame(said, "restore-failing", source=source)
    return scene.name_cause("populator-absent", source=source)


def _explain_restore(scene: Scene, restore: KubernetesObject) -> str:
    """Say why a restore fails; empty when it only takes its time.

    What its mover says is there once VolSync has given up its Job, after eight pods in about 20
    minutes; until then only the Job counts the failures (backube/volsync, mover/restic/mover.go).
    """
    if said := list_errors(restore):
        return said[0]
    if (log := read_failed_log(restore)) is not None:
        telling = [line for line in log if _TELLING.search(line)] or log
        return f"its mover fails: {telling[-1] if telling else 'it says nothing'}"
    for job in scene.sight.owned_by(restore, "Job"):
        if tries := number_at(job.raw, "status", "failed"):
            words = f"kubectl -n {job.namespace} logs job/{job.name} says why"
            return f"its mover failed {tries} time(s), and is tried again; {words}"
    return ""


def _find_release(scene: Scene, word: str) -> Key | None:
    """Find the release that is named after a provisioner or class, as all common ones are."""
    for release in scene.sight.of_kind("HelmRelease"):
        if word in release.name or word in release.namespace:
            return key_of(release)
    return None


def _list_workloads(scene: Scene, provisioner: str) -> Iterator[KubernetesObject]:
    words = _words_of(provisioner)
    for kind in ("Deployment", "DaemonSet", "StatefulSet"):
        for workload in scene.sight.of_kind(kind):
            if any(word in f"{workload.namespace}/{workload.name}" for word in words):
                yield workload


def _words_of(provisioner: str) -> list[str]:
    return [word for word in re.split(r"[./]", provisioner) if word and word not in _COMMON]


def _describe(scene: Scene, item: KubernetesObject) -> str:
    phase = text_at(item.raw, "status", "phase") or "new"
    told = scene.sight.tell_events(key_of(item), normal=True)
    return f"{phase}, {told[0]}" if told else phase

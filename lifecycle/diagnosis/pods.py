"""Why a pod is not ready: not placed, waiting for something, or its containers fail."""

from __future__ import annotations

from collections.abc import Iterator

from lifecycle.diagnosis.catalogue import match_message
from lifecycle.diagnosis.databases import find_awaited_database
from lifecycle.diagnosis.scene import Scene
from lifecycle.diagnosis.values import Diagnosis, Key
from lifecycle.drivers.documents import Json, list_at, number_at, object_at, text_at
from lifecycle.drivers.kubernetes import KubernetesObject

__all__ = ["explain_pod"]

# Reasons of waiting containers that say nothing yet; events say more.
_STARTING = frozenset({"ContainerCreating", "PodInitializing", ""})


def explain_pod(scene: Scene, key: Key, item: KubernetesObject | None) -> Diagnosis | None:
    """Explain a pod; one that is gone by what events still say of it."""
    if item is None:
        return _explain_by_events(scene, key)
    if _is_fine(item):
        return None
    node = text_at(item.raw, "spec", "nodeName")
    found = _explain_node(scene, node) if node else _explain_placing(scene, item)
    found = found or find_awaited_database(scene, item)
    found = found or _explain_containers(scene, item) or _explain_claims(scene, item)
    # An event may be there before the status that says which container it is about.
    fields = {
        "image": ", ".join(_list_in_containers(item, "image")),
        "container": next(iter(_list_in_containers(item, "name")), ""),
    }
    found = found or _explain_by_events(scene, key, node=node, **fields)
    if found is None:
        found = scene.blame(_describe(item), "pod-not-ready", node=node)
    return found.under(f"{key}: {_describe(item)}")


def _is_fine(item: KubernetesObject) -> bool:
    return item.has_condition("Ready") or text_at(item.raw, "status", "phase") == "Succeeded"


def _explain_node(scene: Scene, node: str) -> Diagnosis | None:
    """Explain the pod's node when that is not Ready: nothing on it can be."""
    found = scene.sight.find(Key("Node", "", node))
    is_ready = found is None or found.has_condition("Ready")
    return None if is_ready else scene.explain(Key("Node", "", node))


def _explain_placing(scene: Scene, item: KubernetesObject) -> Diagnosis | None:
    """Explain why no node takes the pod; a claim that is not bound comes first."""
    condition = item.condition("PodScheduled")
    if condition is None or condition.is_true:
        return None
    missing = match_message(condition.message)
    if missing and missing.signature.id == "claim-missing":
        return scene.blame(condition.message, "not-scheduled")
    found = _explain_claims(scene, item)
    if found is None and "untolerated taint" in condition.message:
        found = scene.explain_first(
            Key("Node", "", node.name)
            for node in scene.sight.of_kind("Node")
            if not node.has_condition("Ready")
        )
    return found or scene.blame(condition.message, "not-scheduled")


def _explain_claims(scene: Scene, item: KubernetesObject) -> Diagnosis | None:
    names = (
        text_at(volume, "persistentVolumeClaim", "claimName")
        for volume in list_at(item.raw, "spec", "volumes")
    )
    claims = (Key("PersistentVolumeClaim", item.namespace, name) for name in names if name)
    return scene.explain_first(claim for claim in claims if scene.sight.find(claim) is not None)


def _explain_containers(scene: Scene, item: KubernetesObject) -> Diagnosis | None:
    """Explain the first container that says what it waits for, or how it ended."""
    for status in _list_statuses(item):
        waiting = object_at(status, "state", "waiting")
        ended = object_at(status, "state", "terminated") or object_at(
            status, "lastState", "terminated"
        )
        reason = text_at(waiting, "reason")
        how = _describe_end(ended)
        if reason in _STARTING and not (how and number_at(ended, "exitCode")):
            continue
        said = f"{reason}: {text_at(waiting, 'message')}" if reason else how
        if text_at(ended, "reason") == "OOMKilled":
            said = f"OOMKilled {said}"
        if reason in _STARTING:
            said = f"back-off restarting failed container: {said}"
        return scene.blame(
            said,
            "pod-not-ready",
            container=text_at(status, "name"),
            image=text_at(status, "image"),
            pulled=text_at(status, "image"),
            ended=f", {how}" if how else "",
        )
    return None


def _explain_by_events(
    scene: Scene, key: Key, *, image: str = "", container: str = "", node: str = ""
) -> Diagnosis | None:
    """Explain a pod by the newest warning that the catalogue knows."""
    for said in scene.sight.tell_events(key):
        if match_message(said):
            fields = {"image": image, "pulled": image, "container": container, "node": node}
            return scene.blame(said, "pod-not-ready", **fields).under(f"{key}: {said}")
    return None


def _list_statuses(item: KubernetesObject) -> Iterator[Json]:
    for field in ("initContainerStatuses", "containerStatuses"):
        for status in list_at(item.raw, "status", field):
            if not (isinstance(status, dict) and status.get("ready") is True):
                yield status


def _list_in_containers(item: KubernetesObject, field: str) -> list[str]:
    found = (text_at(container, field) for container in list_at(item.raw, "spec", "containers"))
    return [value for value in found if value]


def _describe_end(ended: Json) -> str:
    code = number_at(ended, "exitCode")
    reason = text_at(ended, "reason")
    if not reason:
        return ""
    message = text_at(ended, "message")
    return f"last with exit code {code} ({reason})" + (f": {message}" if message else "")


def _describe(item: KubernetesObject) -> str:
    """Say in a line how a pod stands."""
    for status in _list_statuses(item):
        waiting = object_at(status, "state", "waiting")
        if text_at(waiting, "reason"):
            message = text_at(waiting, "message")
            return text_at(waiting, "reason") + (f": {message}" if message else "")
    condition = item.condition("PodScheduled")
    if condition and not condition.is_true:
        return f"{condition.reason}: {condition.message}"
    reason = text_at(item.raw, "status", "reason")
    phase = text_at(item.raw, "status", "phase") or "unknown"
    message = text_at(item.raw, "status", "message")
    return f"{reason}: {message}" if reason else f"{phase}, not ready"

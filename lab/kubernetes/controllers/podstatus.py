"""What a pod's status says at each point of its life, and what it waits for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from lab.kubernetes.controllers.world import World, is_true, set_condition
from lab.kubernetes.store import Store
from lab.kubernetes.values import (
    Json,
    Object,
    dig,
    grow,
    maps,
    namespace_of,
    number,
    text,
    texts,
    uid_of,
)

__all__ = [
    "Missing",
    "find_address",
    "find_missing",
    "has_network",
    "is_cni_pod",
    "is_crashing",
    "listens",
    "mark_crashing",
    "mark_failed",
    "mark_initializing",
    "mark_ready",
    "mark_restarted",
    "mark_started",
    "mark_succeeded",
    "mark_unready",
    "mark_waiting",
    "restart",
]

_CNI_NAMES = ("cilium", "flannel", "kube-flannel", "kube-flannel-ds", "calico-node", "canal")
_CRASHING = "CrashLoopBackOff"
_CNI_PATHS = ("/opt/cni/bin", "/etc/cni/net.d")


@dataclass(frozen=True, slots=True)
class Missing:
    """A ConfigMap or Secret that a pod names and nobody made; `volume` is "" for environment."""

    kind: str
    name: str
    volume: str = ""

    @property
    def is_volume(self) -> bool:
        """Whether a volume needs it."""
        return bool(self.volume)

    def __str__(self) -> str:
        return f'{self.kind} "{self.name}" not found'


def find_missing(store: Store, pod: Object) -> Missing | None:
    """Find the first ConfigMap or Secret that a pod needs and that does not exist."""
    namespace = namespace_of(pod)
    return next(
        (
            missing
            for missing in [*_volume_needs(pod), *_environment_needs(pod)]
            if store.get(f"{missing.kind}s", namespace, missing.name) is None
        ),
        None,
    )


def _volume_needs(pod: Object) -> list[Missing]:
    needs: list[Missing] = []
    for volume in maps(pod, "spec", "volumes"):
        name = text(volume, "name")
        sources = [volume, *maps(volume, "projected", "sources")]
        for source in sources:
            for field, kind, key in (
                ("configMap", "configmap", "name"),
                ("secret", "secret", "secretName"),
                ("secret", "secret", "name"),
            ):
                wanted = text(source, field, key)
                if wanted and dig(source, field, "optional") is not True:
                    needs.append(Missing(kind, wanted, name))
    return needs


def _environment_needs(pod: Object) -> list[Missing]:
    needs: list[Missing] = []
    for container in maps(pod, "spec", "initContainers") + maps(pod, "spec", "containers"):
        sources = maps(container, "envFrom")
        sources += [value for item in maps(container, "env") if (value := _value_from(item))]
        for source in sources:
            for field, kind in (
                ("configMapRef", "configmap"),
                ("secretRef", "secret"),
                ("configMapKeyRef", "configmap"),
                ("secretKeyRef", "secret"),
            ):
                wanted = text(source, field, "name")
                if wanted and dig(source, field, "optional") is not True:
                    needs.append(Missing(kind, wanted))
    return needs


def _value_from(item: Object) -> Object:
    found = item.get("valueFrom")
    return found if isinstance(found, dict) else {}


def is_cni_pod(pod: Object) -> bool:
    """Tell whether a DaemonSet's pod brings the pod network to its node."""
    owner = next((item for item in maps(pod, "metadata", "ownerReferences")), {})
    if text(owner, "kind") != "DaemonSet":
        return False
    if text(owner, "name") in _CNI_NAMES:
        return True
    paths = [text(volume, "hostPath", "path") for volume in maps(pod, "spec", "volumes")]
    # Multus chains to another CNI and brings no network by itself.
    return "multus" not in text(owner, "name") and any(path in _CNI_PATHS for path in paths)


def has_network(store: Store, node: str) -> bool:
    """Tell whether a CNI pod is Ready on a node."""
    return any(
        text(pod, "spec", "nodeName") == node and is_cni_pod(pod) and is_true(pod, "Ready")
        for pod in store.all("pods")
    )


def find_address(world: World, pod: Object) -> str:
    """Choose the address of a pod: its node's, or one of the pod network (10.244.0.0/16)."""
    if dig(pod, "spec", "hostNetwork"):
        return world.nodes[text(pod, "spec", "nodeName")].address
    digest = hashlib.sha256(uid_of(pod).encode()).digest()
    return f"10.244.{digest[0]}.{digest[1] or 1}"


def mark_waiting(pod: Object, reason: str, message: str) -> None:
    """Containers wait: being created, or something is missing."""
    waiting: Object = {"reason": reason}
    if message:
        waiting["message"] = message
    status = grow(pod, "status")
    status["containerStatuses"] = [
        _container(pod, item, {"waiting": waiting}, ready=False)
        for item in maps(pod, "spec", "containers")
    ]


def mark_initializing(pod: Object, name: str, *, now: str) -> None:
    """An init container runs, and the others wait for its end."""
    mark_waiting(pod, "PodInitializing", "")
    status = grow(pod, "status")
    status["initContainerStatuses"] = [
        _container(pod, item, {"running": {"startedAt": now}}, ready=False)
        for item in maps(pod, "spec", "initContainers")
        if text(item, "name") == name
    ]
    set_condition(status, "Initialized", "False", "ContainersNotInitialized", "", now=now)


def mark_started(pod: Object, address: str, host: str, *, now: str) -> None:
    """Containers run and are not Ready yet; `host` is the node's address."""
    status = grow(pod, "status")
    for container in maps(status, "initContainerStatuses"):
        container.update({"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}})
        container["ready"] = True
    status.update({"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]})
    status.update({"hostIP": host, "hostIPs": [{"ip": host}]})
    status["startTime"] = now
    status["containerStatuses"] = [
        _container(pod, item, {"running": {"startedAt": now}}, ready=False)
        for item in maps(pod, "spec", "containers")
    ]
    set_condition(status, "Initialized", "True", "", "", now=now)
    _set_ready(status, "False", now)


def mark_ready(pod: Object, *, now: str) -> None:
    """Every container passed its readiness probe."""
    status = grow(pod, "status")
    for container in maps(status, "containerStatuses"):
        container.update({"ready": True, "started": True})
    _set_ready(status, "True", now)


def mark_unready(pod: Object, *, now: str) -> None:
    """The pod's machine went away."""
    status = grow(pod, "status")
    for container in maps(status, "containerStatuses"):
        container["ready"] = False
    if maps(status, "conditions"):
        _set_ready(status, "False", now)


def mark_crashing(pod: Object, *, code: int, why: str, now: str) -> None:
    """Every container ends again and again, with an exit code and a reason."""
    ended: Object = {"exitCode": code, "reason": why, "finishedAt": now}
    waiting: Object = {
        "reason": _CRASHING,
        "message": "back-off restarting failed container",
    }
    status = grow(pod, "status")
    for container in maps(status, "containerStatuses"):
        container.update({"state": {"waiting": waiting}, "lastState": {"terminated": ended}})
        container.update({"ready": False, "restartCount": 5})
    _set_ready(status, "False", now)


def mark_restarted(pod: Object, *, now: str) -> None:
    """Every container ended with an error, once, and runs again."""
    ended: Object = {"exitCode": 1, "reason": "Error", "finishedAt": now}
    for container in maps(pod, "status", "containerStatuses"):
        container["restartCount"] = number(container, "restartCount") + 1
        container["lastState"] = {"terminated": ended}
        container["state"] = {"running": {"startedAt": now}}


def is_crashing(pod: Object) -> bool:
    """Tell whether a container ends again and again."""
    return any(
        text(container, "state", "waiting", "reason") == _CRASHING
        for container in maps(pod, "status", "containerStatuses")
    )


def mark_succeeded(pod: Object, *, now: str) -> None:
    """Every container ended well."""
    status = grow(pod, "status")
    status["phase"] = "Succeeded"
    for container in maps(status, "containerStatuses"):
        ended: Object = {"exitCode": 0, "reason": "Completed", "finishedAt": now}
        container.update({"state": {"terminated": ended}, "ready": False})
    set_condition(status, "Ready", "False", "PodCompleted", "", now=now)


def mark_failed(pod: Object, *, code: int, why: str = "Error", now: str) -> None:
    """Every container ended with an error, and none is started again."""
    status = grow(pod, "status")
    status["phase"] = "Failed"
    for container in maps(status, "containerStatuses"):
        ended: Object = {"exitCode": code, "reason": why, "finishedAt": now}
        container.update({"state": {"terminated": ended}, "ready": False})
    set_condition(status, "Ready", "False", "PodFailed", "", now=now)


def listens(pod: Object) -> bool:
    """Tell whether a pod waits for whoever connects, so that it never ends by itself."""
    return any(
        word.endswith("/server.sh")
        for container in maps(pod, "spec", "containers")
        for word in texts(container, "command")
    )


def restart(pod: Object) -> None:
    """Begin anew on the same node, counting restarts."""
    status = grow(pod, "status")
    status["phase"] = "Pending"
    for container in maps(status, "containerStatuses"):
        container["restartCount"] = number(container, "restartCount") + 1
        container["ready"] = False


def _set_ready(status: Object, value: str, now: str) -> None:
    reason = "" if value == "True" else "ContainersNotReady"
    set_condition(status, "ContainersReady", value, reason, "", now=now)
    set_condition(status, "Ready", value, reason, "", now=now)


def _container(pod: Object, container: Object, state: Object, *, ready: bool) -> Json:
    name = text(container, "name")
    old: Object = next(
        (item for item in maps(pod, "status", "containerStatuses") if item.get("name") == name), {}
    )
    return {
        "name": name,
        "image": text(container, "image"),
        "imageID": text(container, "image"),
        "ready": ready,
        "started": ready,
        "restartCount": number(old, "restartCount"),
        "state": state,
    }

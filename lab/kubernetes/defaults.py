"""What the API server itself fills in when objects of built-in kinds are written."""

from __future__ import annotations

import base64

from lab.kubernetes.users import User
from lab.kubernetes.values import Json, Object, at, grow, maps, name_of, text

__all__ = ["fill_in", "fill_in_new"]


def fill_in(resource: str, obj: Object) -> None:
    """Complete an object on every write, in place."""
    if resource == "secrets":
        _encode_strings(obj)
    elif resource == "namespaces":
        grow(obj, "metadata", "labels")["kubernetes.io/metadata.name"] = name_of(obj)
    elif resource in _WITH_REPLICAS:
        grow(obj, "spec").setdefault("replicas", 1)
    if resource in _WITH_TEMPLATE:
        _complete_pod(grow(obj, "spec", "template", "spec"))
    if resource == "services":
        _complete_service(grow(obj, "spec"))


def fill_in_new(resource: str, obj: Object, user: User, now: str) -> None:
    """Complete an object when it is created, in place."""
    match resource:
        case "secrets":
            obj.setdefault("type", "Opaque")
        case "namespaces":
            obj["spec"] = {"finalizers": ["kubernetes"]}
            obj["status"] = {"phase": "Active"}
        case "pods":
            _complete_pod(grow(obj, "spec"))
            obj["status"] = {"phase": "Pending", "qosClass": "BestEffort"}
        case "persistentvolumeclaims":
            obj["status"] = {"phase": "Pending"}
        case "certificatesigningrequests.certificates.k8s.io":
            groups: list[Json] = list(user.groups)
            grow(obj, "spec").update({"username": user.name, "groups": groups})
            obj["status"] = {}
        case "storageclasses.storage.k8s.io":
            obj.setdefault("reclaimPolicy", "Delete")
            obj.setdefault("volumeBindingMode", "Immediate")
        case "events":
            obj.setdefault("firstTimestamp", now)
        case _:
            pass


_WITH_REPLICAS = {"deployments.apps", "replicasets.apps", "statefulsets.apps"}
_WITH_TEMPLATE = _WITH_REPLICAS | {"daemonsets.apps", "jobs.batch"}


def _encode_strings(obj: Object) -> None:
    plain = obj.pop("stringData", None)
    if isinstance(plain, dict):
        data = grow(obj, "data")
        for key, value in plain.items():
            if isinstance(value, str):
                data[key] = base64.b64encode(value.encode()).decode()


def _complete_pod(spec: Object) -> None:
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("securityContext", {})
    for container in maps(spec, "containers") + maps(spec, "initContainers"):
        container.setdefault("imagePullPolicy", "IfNotPresent")
        container.setdefault("resources", {})
        container.setdefault("terminationMessagePath", "/dev/termination-log")
        container.setdefault("terminationMessagePolicy", "File")
        for port in maps(container, "ports"):
            port.setdefault("protocol", "TCP")


def _complete_service(spec: Object) -> None:
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    for port in maps(spec, "ports"):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
    if text(spec, "type") == "ExternalName" or at(spec, "clusterIP"):
        return
    spec.setdefault("internalTrafficPolicy", "Cluster")

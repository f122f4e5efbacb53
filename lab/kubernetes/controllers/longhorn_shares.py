"""Longhorn's shared volumes (RWX): an NFS server in a pod of its own, which the volume follows.

Source: `controller/share_manager_controller.go` of longhorn-manager. Nothing guards that pod: a
drain evicts it, and Longhorn makes it anew where it may run.
"""

from __future__ import annotations

from lab.kubernetes.controllers.children import is_ready
from lab.kubernetes.controllers.longhorn_managers import API, describe
from lab.kubernetes.controllers.world import World
from lab.kubernetes.errors import ForbiddenError, InvalidError
from lab.kubernetes.store import Place
from lab.kubernetes.values import (
    Object,
    clone_map,
    dig,
    is_going,
    name_of,
    namespace_of,
    reference_of,
    text,
)

__all__ = ["SHARE_PREFIX", "is_shared", "keep_share"]

SHARE_PREFIX = "share-manager-"
_MANAGERS = "sharemanagers.longhorn.io"
_IMAGE = "longhornio/longhorn-share-manager:lab"
_NFS_PORT = 2049


def is_shared(volume: Object) -> bool:
    """Tell whether many nodes may use a volume at once."""
    return text(volume, "spec", "accessMode") == "rwx" and not dig(volume, "spec", "migratable")


def keep_share(world: World, volume: Object, *, is_used: bool) -> Object | None:
    """Have a volume shared as long as somebody uses it; returns the pod that serves it, if up."""
    if not world.api.serves(API, "ShareManager"):
        return None
    name, namespace = name_of(volume), namespace_of(volume)
    labels = _label(name)
    world.plant({**describe("ShareManager", name, labels, volume), "spec": {"image": _IMAGE}})
    manager = world.store.get(_MANAGERS, namespace, name)
    if manager is None:
        return None
    _plant_service(world, manager)
    place = Place("pods", namespace, f"{SHARE_PREFIX}{name}")
    pod = world.find(place)
    if is_used and pod is None:
        try:
            world.plant(_make_pod(manager))
        except (ForbiddenError, InvalidError):
            return None  # the namespace takes no such pod; told anew with its next change
        pod = world.find(place)
    elif not is_used and pod is not None and not is_going(pod):
        world.delete(place)
    is_up = pod is not None and is_ready(pod) and not is_going(pod)
    state = "running" if is_up else "starting" if is_used else "stopped"
    service = world.store.get("services", namespace, name) or {}
    address = text(service, "spec", "clusterIP")
    endpoint = f"nfs://{address}/{name}" if is_up else ""
    world.set_status(Place(_MANAGERS, namespace, name), {"state": state, "endpoint": endpoint})
    return pod if is_up else None


def _label(name: str) -> Object:
    return {
        "longhorn.io/component": "share-manager",
        "longhorn.io/managed-by": "longhorn-manager",
        "longhorn.io/share-manager": name,
    }


def _plant_service(world: World, manager: Object) -> None:
    labels = _label(name_of(manager))
    world.plant(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": name_of(manager),
                "namespace": namespace_of(manager),
                "labels": clone_map(labels),
                "ownerReferences": [reference_of(manager)],
            },
            "spec": {
                "type": "ClusterIP",
                "selector": labels,
                "ports": [{"name": "nfs", "port": _NFS_PORT, "protocol": "TCP"}],
            },
        }
    )


def _make_pod(manager: Object) -> Object:
    name = name_of(manager)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{SHARE_PREFIX}{name}",
            "namespace": namespace_of(manager),
            "labels": _label(name),
            "ownerReferences": [reference_of(manager)],
        },
        "spec": {
            "serviceAccountName": "default",
            # Never in life, where Longhorn makes it anew; the lab's kubelet starts it again.
            "restartPolicy": "Always",
            "containers": [{"name": "share-manager", "image": _IMAGE}],
        },
    }

"""Longhorn: what its managers deploy by themselves, its nodes, and its volumes' health."""

from __future__ import annotations

from collections.abc import Iterable

import yaml

from lab.kubernetes.controllers.children import is_ready
from lab.kubernetes.controllers.longhorn_disks import keep_disks, make_disks
from lab.kubernetes.controllers.longhorn_managers import (
    API,
    DRIVER,
    LONGHORN_NODES,
    REPLICAS,
    VOLUMES,
    find_usable,
    is_cordoned,
    keep_budgets,
    keep_managers,
    read_setting,
)
from lab.kubernetes.controllers.longhorn_shares import SHARE_PREFIX
from lab.kubernetes.controllers.longhorn_volumes import Volumes
from lab.kubernetes.controllers.world import World, find_condition, set_condition
from lab.kubernetes.durations import OPERATOR_START_S
from lab.kubernetes.quantities import read_quantity
from lab.kubernetes.store import Change, Place
from lab.kubernetes.values import (
    Json,
    Object,
    at,
    clone_map,
    dig,
    grow,
    maps,
    name_of,
    namespace_of,
    number,
    text,
    texts,
)

__all__ = ["Longhorn", "is_longhorn_ready", "judge_again", "plant_volume"]

_ALIGNMENT = 2 * 2**20  # bytes that sizes are multiples of
_BUDGETS, _SETTINGS = "poddisruptionbudgets.policy", "settings.longhorn.io"
# How the names of what Longhorn runs begin.
_OWN = ("longhorn-", "instance-manager-")
_SIDECARS = ("csi-attacher", "csi-provisioner", "csi-resizer", "csi-snapshotter")


class Longhorn:
    """Follows longhorn-manager's pods and longhorn-driver-deployer, in any namespace."""

    resources = frozenset(
        {"pods", "nodes", "deployments.apps", VOLUMES, REPLICAS, _BUDGETS, _SETTINGS}
    )

    def __init__(self, world: World) -> None:
        self._world = world
        self._volumes = Volumes(world, lambda place: world.queue(self, place))

    def places(self, change: Change) -> Iterable[Place]:
        """A volume; a namespace whose Longhorn changed; volumes of a pod that changed."""
        obj = change.object
        if change.resource == VOLUMES:
            yield change.place
        elif change.resource == REPLICAS:
            if change.type == "DELETED":
                yield Place(VOLUMES, namespace_of(obj), text(obj, "spec", "volumeName"))
                yield from self._unplaced(namespace_of(obj))
        elif change.resource == "nodes":
            yield from self._namespaces_of(change)
        elif change.resource == _BUDGETS and change.type != "DELETED":
            return
        elif name_of(obj).startswith(SHARE_PREFIX):
            yield Place(VOLUMES, namespace_of(obj), name_of(obj).removeprefix(SHARE_PREFIX))
        elif change.resource == _SETTINGS or name_of(obj).startswith(_OWN):
            yield Place("namespaces", "", namespace_of(obj))
        elif change.resource == "pods":
            yield from self._volumes_of(obj)

    def reconcile(self, place: Place) -> None:
        """Bring nodes, managers and drivers up, or judge one volume."""
        if place.resource == VOLUMES:
            self._volumes.judge(place, find_usable(self._world, place.namespace))
            keep_budgets(self._world, place.namespace)
            return
        managers = {
            text(pod, "spec", "nodeName"): pod
            for pod in self._world.store.all("pods", place.name)
            if text(pod, "metadata", "labels", "app") == "longhorn-manager"
        }
        known = {name_of(node) for node in self._world.store.all(LONGHORN_NODES, place.name)}
        for node in sorted(known | managers.keys() - {""}):
            self._keep_node(place.name, node, managers.get(node))
        keep_managers(self._world, place.name, lambda: self._world.queue(self, place))
        deployer = self._world.store.get("deployments.apps", place.name, "longhorn-driver-deployer")
        if deployer is not None and number(deployer, "status", "readyReplicas"):
            key, what = f"longhorn/{place.name}", "longhorn drivers deployed"
            if self._world.store.get("csidrivers.storage.k8s.io", "", DRIVER) is None:
                self._world.later(key, OPERATOR_START_S, what, lambda: self._deploy(place.name))
            else:
                self._plant_class(place.name)
        usable = find_usable(self._world, place.name)
        for volume in self._world.store.all(VOLUMES, place.name):
            self._volumes.judge(Place(VOLUMES, place.name, name_of(volume)), usable)
        keep_budgets(self._world, place.name)

    def _namespaces_of(self, change: Change) -> Iterable[Place]:
        """Where Longhorn has a node that was cordoned, uncordoned or deleted."""
        if change.type == "DELETED" or _is_cordon(change):
            for node in self._world.store.all(LONGHORN_NODES):
                if name_of(node) == name_of(change.object):
                    yield Place("namespaces", "", namespace_of(node))

    def _unplaced(self, namespace: str) -> Iterable[Place]:
        """Volumes whose replicas found no room; a disk has more now."""
        for volume in self._world.store.all(VOLUMES, namespace):
            if text(find_condition(volume, "Scheduled"), "status") == "False":
                yield Place(VOLUMES, namespace, name_of(volume))

    def _volumes_of(self, pod: Object) -> Iterable[Place]:
        for volume in maps(pod, "spec", "volumes"):
            claim = text(volume, "persistentVolumeClaim", "claimName")
            if not claim:
                continue
            found = self._world.store.get("persistentvolumeclaims", namespace_of(pod), claim)
            name = text(found or {}, "spec", "volumeName")
            for backing in self._world.store.all(VOLUMES) if name else ():
                if name_of(backing) == name:
                    yield Place(VOLUMES, namespace_of(backing), name)

    def _keep_node(self, namespace: str, node: str, manager: Object | None) -> None:
        if not self._world.api.serves(API, "Node"):
            return
        place = Place(LONGHORN_NODES, namespace, node)
        is_up = manager is not None and is_ready(manager)
        if is_up and self._world.find(place) is None:
            self._world.plant(
                {
                    "apiVersion": API,
                    "kind": "Node",
                    "metadata": {"name": place.name, "namespace": place.namespace},
                    "spec": {
                        "name": place.name,
                        "allowScheduling": True,
                        "evictionRequested": False,
                        "disks": make_disks(self._world, namespace, node),
                    },
                }
            )
        now, is_held = self._world.api.now(), is_cordoned(self._world, node)

        def change(obj: Object) -> None:
            status, up = grow(obj, "status"), "True" if is_up else "False"
            set_condition(status, "Ready", up, "", "", now=now)
            takes, why = ("False", "KubernetesNodeCordoned") if is_held else (up, "")
            set_condition(status, "Schedulable", takes, why, "", now=now)

        self._world.edit(place, change)
        keep_disks(self._world, namespace, node)

    def _deploy(self, namespace: str) -> None:
        self._world.plant(
            {
                "apiVersion": "storage.k8s.io/v1",
                "kind": "CSIDriver",
                "metadata": {"name": DRIVER},
                "spec": {"attachRequired": True, "podInfoOnMount": True},
            }
        )
        for name in _SIDECARS:
            self._world.plant(_make_workload("Deployment", name, namespace, {"replicas": 3}))
        self._world.plant(_make_workload("DaemonSet", "longhorn-csi-plugin", namespace, {}))
        self._plant_class(namespace)

    def _plant_class(self, namespace: str) -> None:
        """Create the StorageClass that the chart leaves to longhorn-manager in a ConfigMap."""
        config = self._world.store.get("configmaps", namespace, "longhorn-storageclass")
        if config is None:
            return
        loaded = yaml.safe_load(text(config, "data", "storageclass.yaml"))
        if isinstance(loaded, dict):
            self._world.plant(loaded)


def _is_cordon(change: Change) -> bool:
    before = dig(change.before, "spec", "unschedulable") is True
    return before != (dig(change.object, "spec", "unschedulable") is True)


def judge_again(world: World) -> None:
    """Let every disk and volume be judged anew: something else holds now."""
    for node in world.store.all(LONGHORN_NODES):
        keep_disks(world, namespace_of(node), name_of(node))
    for volume in world.store.all(VOLUMES):

        def forget(obj: Object) -> None:
            grow(obj, "status")["robustness"] = "unknown"

        world.edit(Place(VOLUMES, namespace_of(volume), name_of(volume)), forget)


def is_longhorn_ready(world: World) -> bool:
    """Tell whether Longhorn provisions: its CSI provisioner runs on a ready manager."""
    return any(
        name_of(deployment) == "csi-provisioner" and number(deployment, "status", "readyReplicas")
        for deployment in world.store.all("deployments.apps")
    )


def plant_volume(world: World, claim: Object, storage: Object, name: str) -> None:
    """Create the Longhorn Volume behind a claim, where Longhorn's CRD exists."""
    namespaces = [
        namespace_of(deployment)
        for deployment in world.store.all("deployments.apps")
        if name_of(deployment) == "csi-provisioner"
    ]
    if not world.api.serves(API, "Volume") or not namespaces:
        return
    parameters = at(storage, "parameters")
    replicas = text(parameters, "numberOfReplicas")
    locality = text(parameters, "dataLocality") or read_setting(
        world, namespaces[0], "default-data-locality", "disabled"
    )
    modes = texts(claim, "spec", "accessModes")
    size = read_quantity(text(claim, "spec", "resources", "requests", "storage"))
    labels: Object = {"longhornvolume": name}
    world.plant(
        {
            "apiVersion": API,
            "kind": "Volume",
            "metadata": {"name": name, "namespace": namespaces[0], "labels": labels},
            "spec": {
                "size": str(-(-size // _ALIGNMENT) * _ALIGNMENT),
                "numberOfReplicas": int(replicas) if replicas.isdigit() else 3,
                "accessMode": "rwx" if "ReadWriteMany" in modes else "rwo",
                "dataLocality": locality,
                "frontend": "blockdev",
            },
            "status": {
                "state": "detached",
                "robustness": "unknown",
                "kubernetesStatus": {
                    "namespace": namespace_of(claim),
                    "pvcName": name_of(claim),
                    "pvName": name,
                    "pvStatus": "Bound",
                },
            },
        }
    )


def _make_workload(kind: str, name: str, namespace: str, spec: Object) -> Object:
    labels: Object = {"app": name}
    containers: list[Json] = [{"name": name, "image": f"longhornio/{name}:lab"}]
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "labels": clone_map(labels)},
        "spec": {
            **spec,
            "selector": {"matchLabels": clone_map(labels)},
            "template": {
                "metadata": {"labels": clone_map(labels)},
                "spec": {"containers": containers},
            },
        },
    }

"""PersistentVolumeClaims: bound when their class's provisioner runs, with what backs them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from lab.kubernetes.controllers.longhorn import is_longhorn_ready, plant_volume
from lab.kubernetes.controllers.longhorn_managers import DRIVER
from lab.kubernetes.controllers.movers import DESTINATIONS
from lab.kubernetes.controllers.world import World, is_true
from lab.kubernetes.durations import VOLUME_PROVISION_S
from lab.kubernetes.store import Change, Place
from lab.kubernetes.values import (
    Json,
    Object,
    at,
    dig,
    grow,
    is_going,
    name_of,
    namespace_of,
    text,
    uid_of,
)

__all__ = ["Claims", "find_class"]

_POPULATED_BY = "ReplicationDestination"
_CLASSES = "storageclasses.storage.k8s.io"
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_SELECTED_NODE = "volume.kubernetes.io/selected-node"
# Parts of provisioner names that say nothing about who provisions.
_COMMON = {"csi", "driver", "k8s", "io", "com", "org", "net", "x-k8s", "sigs"}


class Claims:
    """Binds claims, and takes volumes away with them."""

    resources = frozenset(
        {"persistentvolumeclaims", _CLASSES, "deployments.apps", "daemonsets.apps", DESTINATIONS}
    )

    def __init__(self, world: World) -> None:
        self._world = world

    def places(self, change: Change) -> Iterable[Place]:
        """A claim; every waiting claim when classes or provisioners changed."""
        if change.resource == "persistentvolumeclaims":
            if change.type == "DELETED":
                self._release(change.object)
            yield change.place
            return
        for claim in self._world.store.all("persistentvolumeclaims"):
            if text(claim, "status", "phase") == "Pending":
                yield Place("persistentvolumeclaims", namespace_of(claim), name_of(claim))

    def reconcile(self, place: Place) -> None:
        """Provision for one claim when all it needs is there."""
        claim = self._world.find(place)
        if claim is None or text(claim, "status", "phase") != "Pending" or is_going(claim):
            return
        storage = find_class(self._world, claim)
        if storage is None:
            self._complain_about_class(claim)
            return
        if not text(claim, "spec", "storageClassName"):
            name = name_of(storage)
            self._world.edit(
                place, lambda obj: grow(obj, "spec").update({"storageClassName": name})
            )
        if not self._may_provision(claim, storage):
            return
        self._world.later(
            f"pvc/{uid_of(claim)}",
            VOLUME_PROVISION_S,
            f"volume of {place.namespace}/{place.name} provisioned",
            lambda: self._provision(place),
        )

    def _complain_about_class(self, claim: Object) -> None:
        name = text(claim, "spec", "storageClassName")
        if name:
            message = f'storageclass.storage.k8s.io "{name}" not found'
            self._world.tell(claim, "ProvisioningFailed", message)
        else:
            message = "no persistent volumes available for this claim and no storage class is set"
            self._world.tell(claim, "FailedBinding", message, warning=False)

    def _may_provision(self, claim: Object, storage: Object) -> bool:
        provisioner = text(storage, "provisioner")
        waits = text(storage, "volumeBindingMode") == "WaitForFirstConsumer"
        if waits and not at(claim, "metadata", "annotations").get(_SELECTED_NODE):
            message = "waiting for first consumer to be created before binding"
            self._world.tell(claim, "WaitForFirstConsumer", message, warning=False)
            return False
        if not self._may_populate(claim):
            return False
        if _is_provisioner_ready(self._world, provisioner):
            return True
        message = (
            "Waiting for a volume to be created either by the external provisioner "
            f"'{provisioner}' or manually by the system administrator"
        )
        self._world.tell(claim, "ExternalProvisioning", message, warning=False)
        return False

    def _may_populate(self, claim: Object) -> bool:
        """Tell whether VolSync's volume populator has what it fills a claim from."""
        if text(claim, "spec", "dataSourceRef", "kind") != _POPULATED_BY:
            return True
        if not _runs(self._world, "volsync"):
            return False
        name = text(claim, "spec", "dataSourceRef", "name")
        found = self._world.store.get(DESTINATIONS, namespace_of(claim), name)
        said = "Unable to populate volume"
        if found is None:
            said += f': {_POPULATED_BY}.volsync.backube "{name}" not found'
            self._world.tell(claim, "VolSyncPopulatorReplicationDestinationMissing", said)
            return False
        image = text(found, "status", "latestImage", "kind")
        if not image:
            said += ", waiting for replicationdestination to have latestImage"
            self._world.tell(claim, "VolSyncPopulatorReplicationDestinationNoLatestImage", said)
        elif image != "VolumeSnapshot":
            said += ": ReplicationDestination latestImage is not a volumesnapshot"
            self._world.tell(claim, "VolSyncPopulatorError", said)
        return image == "VolumeSnapshot"

    def _provision(self, place: Place) -> None:
        claim = self._world.find(place)
        if claim is None or text(claim, "status", "phase") != "Pending":
            return
        storage = find_class(self._world, claim)
        if storage is None or not self._may_provision(claim, storage):
            return
        volume = f"pvc-{uid_of(claim)}"
        size = dig(claim, "spec", "resources", "requests", "storage")
        self._world.plant(_describe_volume(claim, storage, volume, size))
        if text(storage, "provisioner") == DRIVER:
            plant_volume(self._world, claim, storage, volume)

        def change(obj: Object) -> None:
            grow(obj, "spec")["volumeName"] = volume
            grow(obj, "metadata", "annotations")["pv.kubernetes.io/bind-completed"] = "yes"
            obj["status"] = {
                "phase": "Bound",
                "accessModes": dig(obj, "spec", "accessModes"),
                "capacity": {"storage": size},
            }

        self._world.edit(place, change)

    def _release(self, claim: Object) -> None:
        volume = text(claim, "spec", "volumeName")
        found = self._world.store.get("persistentvolumes", "", volume)
        if found is None:
            return
        place = Place("persistentvolumes", "", volume)
        if text(found, "spec", "persistentVolumeReclaimPolicy") == "Delete":
            self._world.delete(place)
            self._world.delete(Place("volumes.longhorn.io", "longhorn-system", volume))
        else:
            self._world.set_status(place, {"phase": "Released"})


def find_class(world: World, claim: Object) -> Object | None:
    """Find a claim's StorageClass: named, or the default one; None when there is none."""
    name = text(claim, "spec", "storageClassName")
    if name:
        return world.store.get(_CLASSES, "", name)
    if dig(claim, "spec", "storageClassName") == "":
        return None
    defaults = (
        storage
        for storage in world.store.all(_CLASSES)
        if at(storage, "metadata", "annotations").get(_DEFAULT_CLASS) == "true"
    )
    return next(defaults, None)


def _is_provisioner_ready(world: World, provisioner: str) -> bool:
    """Tell whether somebody runs who would provision, judged by names."""
    if provisioner == DRIVER:
        return is_longhorn_ready(world)
    words = {word for word in re.split(r"[./]", provisioner) if word} - _COMMON
    return any(
        is_true(pod, "Ready")
        and (
            any(word in name_of(pod) for word in words)
            or provisioner in json.dumps(pod.get("spec"))
        )
        for pod in world.store.all("pods")
    )


def _runs(world: World, part: str) -> bool:
    return any(part in name_of(pod) and is_true(pod, "Ready") for pod in world.store.all("pods"))


def _describe_volume(claim: Object, storage: Object, name: str, size: Json) -> Object:
    provisioner = text(storage, "provisioner")
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": name,
            "annotations": {"pv.kubernetes.io/provisioned-by": provisioner},
        },
        "spec": {
            "capacity": {"storage": size},
            "accessModes": dig(claim, "spec", "accessModes"),
            "persistentVolumeReclaimPolicy": text(storage, "reclaimPolicy") or "Delete",
            "storageClassName": name_of(storage),
            "csi": {"driver": provisioner, "volumeHandle": name},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "name": name_of(claim),
                "namespace": namespace_of(claim),
                "uid": uid_of(claim),
            },
        },
        "status": {"phase": "Bound"},
    }

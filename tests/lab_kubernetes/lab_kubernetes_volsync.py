"""VolSync as tests install and watch it in the lab's Kubernetes."""

from __future__ import annotations

from lab.charts.crds import make_crd
from lab.charts.known_crds import SNAPSHOT, VOLSYNC
from lab.kubernetes.values import Object, maps, text
from tests.lab_kubernetes.lab_kubernetes_cluster import Cluster, Watcher, condition, deployment

API = "volsync.backube/v1alpha1"
CLAIM = ("v1", "PersistentVolumeClaim")
RESTIC: Object = {
    "repository": "web-restic",
    "copyMethod": "Snapshot",
    "accessModes": ["ReadWriteOnce"],
    "capacity": "5Gi",
}
SECRET: Object = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "web-restic", "namespace": "default"},
    "stringData": {"RESTIC_REPOSITORY": "s3:x", "RESTIC_PASSWORD": "x"},
}


async def install_volsync(cluster: Cluster, *objects: Object) -> None:
    """Install VolSync with what it needs: snapshots' kinds and a class that provisions."""
    kinds = [make_crd(kind) for kind in (*VOLSYNC, *SNAPSHOT)]
    for definition in kinds:
        await cluster.client.apply(definition, manager="m")
        name = text(definition, "metadata", "name")
        established = cluster.see("apiextensions.k8s.io/v1", "CustomResourceDefinition", name)
        await established.until(lambda obj: condition(obj, "Established") == "True")
    storage: Object = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": "disks",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "disks.csi.k8s.io",
    }
    volsync = deployment("volsync", image="quay.io/backube/volsync:0.15.0")
    for obj in (storage, deployment("disks"), volsync, *objects):
        await cluster.client.apply(obj, manager="m")


def make_destination(name: str = "web", restic: Object = RESTIC, manual: str = "once") -> Object:
    """Write a destination that is restored once by restic."""
    return {
        "apiVersion": API,
        "kind": "ReplicationDestination",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"trigger": {"manual": manual}, "restic": dict(restic)},
    }


def make_source(schedule: str, method: str = "Snapshot") -> Object:
    """Write a source that restic saves by a schedule."""
    return {
        "apiVersion": API,
        "kind": "ReplicationSource",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "sourcePVC": "web",
            "trigger": {"schedule": schedule},
            "restic": {"repository": "web-restic", "copyMethod": method},
        },
    }


def make_claim(origin: str = "") -> Object:
    """Write a claim, filled from a destination if one is named."""
    spec: Object = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "5Gi"}},
    }
    if origin:
        group, _, _ = API.partition("/")
        source: Object = {"apiGroup": group, "kind": "ReplicationDestination", "name": origin}
        spec["dataSourceRef"] = source
    metadata: Object = {"name": "web", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def see_replication(cluster: Cluster, kind: str = "ReplicationDestination") -> Watcher:
    """Watch the object `web`."""
    return cluster.see(API, kind, "web", "default")


def says(obj: Object, reason: str) -> bool:
    """Tell whether a condition has a reason."""
    return any(text(item, "reason") == reason for item in maps(obj, "status", "conditions"))


def tell_condition(obj: Object) -> str:
    """Return the message of the one condition."""
    return text(maps(obj, "status", "conditions")[0], "message")

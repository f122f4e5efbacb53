"""CloudNativePG as tests install, use and watch it in the lab's Kubernetes."""

from __future__ import annotations

from lab.charts.crds import make_crd
from lab.charts.known_crds import CNPG, SNAPSHOT
from lab.kubernetes.values import Json, Object, at, dig, grow, maps, name_of, text
from lab.ports import NodeFacts
from tests.lab_kubernetes.lab_kubernetes_cluster import Cluster, Watcher, condition, deployment

API = "postgresql.cnpg.io/v1"
THIRD = NodeFacts(name="worker-2", role="worker", address="10.42.0.22", loopback="127.42.0.22")
HEALTHY = "Cluster in healthy state"
_OPERATOR = "ghcr.io/cloudnative-pg/cloudnative-pg:1.30.0"
_KINDS = {"Cluster", "Backup", "ScheduledBackup", "Pooler", "ImageCatalog", "VolumeSnapshot"}


async def install(
    cluster: Cluster, *objects: Object, storage: bool = True, operator: bool = True
) -> None:
    """Install CloudNativePG's kinds and operator, and a class that provisions."""
    definitions = [make_crd(kind) for kind in (*CNPG, *SNAPSHOT) if kind.kind in _KINDS]
    for definition in definitions:
        await cluster.client.apply(definition, manager="m")
    for definition in definitions:
        served = cluster.see(
            "apiextensions.k8s.io/v1", "CustomResourceDefinition", name_of(definition)
        )
        await served.until(lambda obj: condition(obj, "Established") == "True")
    if storage:
        await provision(cluster)
    if operator:
        await run_operator(cluster)
    for obj in objects:
        await cluster.client.apply(obj, manager="m")


async def run_operator(cluster: Cluster) -> None:
    """Bring the operator, to the control plane."""
    made = deployment("cloudnative-pg", image=_OPERATOR)
    grow(made, "spec", "template", "spec")["nodeSelector"] = {"kubernetes.io/hostname": "cp-1"}
    await cluster.client.apply(made, manager="m")


async def provision(cluster: Cluster) -> None:
    """Bring a default class with who provisions for it."""
    annotations: Object = {"storageclass.kubernetes.io/is-default-class": "true"}
    disks: Object = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "disks", "annotations": annotations},
        "provisioner": "disks.csi.k8s.io",
    }
    for obj in (disks, deployment("disks")):
        await cluster.client.apply(obj, manager="m")


def database(*, instances: int = 1, annotations: Object | None = None, **spec: Json) -> Object:
    """Make a Cluster `db`."""
    return {
        "apiVersion": API,
        "kind": "Cluster",
        "metadata": {"name": "db", "namespace": "default", "annotations": annotations or {}},
        "spec": {"instances": instances, "storage": {"size": "1Gi"}, **spec},
    }


def see(cluster: Cluster) -> Watcher:
    """Watch the Cluster `db`."""
    return cluster.see(API, "Cluster", "db", "default")


async def until_phase(cluster: Cluster, phase: str) -> Object:
    """Wait until `db` is in a phase."""
    return await see(cluster).until(lambda obj: text(obj, "status", "phase") == phase)


async def until_healthy(cluster: Cluster, ready: int = 1) -> Object:
    """Wait until `db` is healthy with so many instances."""
    return await see(cluster).until(
        lambda obj: (
            text(obj, "status", "phase") == HEALTHY
            and dig(obj, "status", "readyInstances") == ready
        )
    )


async def until_refused(cluster: Cluster, labels: str, why: str) -> None:
    """Wait until no node takes a pod with such labels, for a reason."""
    async for event in cluster.client.watch("v1", "Pod", "default", labels=labels):
        said = [text(item, "message") for item in maps(event.object, "status", "conditions")]
        if any(why in message for message in said):
            return


async def list_phases(cluster: Cluster) -> list[str]:
    """Every phase that `db` went through until it was healthy, each once in a row."""
    seen: list[str] = []

    def note(obj: Object) -> bool:
        phase = text(obj, "status", "phase")
        if phase and seen[-1:] != [phase]:
            seen.append(phase)
        return phase == HEALTHY

    await see(cluster).until(note)
    return seen


async def list_names(cluster: Cluster, kind: str, api: str = "v1") -> list[str]:
    """Names of the objects of a kind that belong to `db`."""
    found = await cluster.client.list(api, kind, "default", labels="cnpg.io/cluster=db")
    return [name_of(item) for item in found]


async def map_roles(cluster: Cluster) -> dict[str, str]:
    """Each instance's role."""
    pods = await cluster.client.list("v1", "Pod", "default", labels="cnpg.io/podRole=instance")
    return {name_of(pod): text(pod, "metadata", "labels", "cnpg.io/instanceRole") for pod in pods}


async def map_nodes(cluster: Cluster) -> dict[str, str]:
    """Each instance's node."""
    pods = await cluster.client.list("v1", "Pod", "default", labels="cnpg.io/podRole=instance")
    return {name_of(pod): text(pod, "spec", "nodeName") for pod in pods}


async def evict(cluster: Cluster, name: str) -> bool:
    """Evict an instance's pod; tell whether its budget allows it."""
    keeper = cluster.plane.keeper
    node = (await map_nodes(cluster))[name]
    pods = await keeper.list_evictable(node)
    return await keeper.evict(next(pod for pod in pods if pod.name == name))


async def tell_events(cluster: Cluster) -> list[str]:
    """What events say about `db`."""
    events = await cluster.client.list("v1", "Event", "default")
    return [
        f"{text(event, 'reason')}: {text(event, 'message')}"
        for event in events
        if text(event, "involvedObject", "kind") == "Cluster"
    ]


def list_conditions(obj: Object) -> dict[str, str]:
    """Status of each condition."""
    return {
        text(item, "type"): text(item, "status") for item in maps(at(obj, "status"), "conditions")
    }

"""Longhorn as tests install, use and watch it in the lab's Kubernetes."""

from __future__ import annotations

from dataclasses import replace

from lab.kubernetes.values import Object, dig, grow, maps, name_of, text
from lab.ports import NodeFacts, PodOnNode
from tests.lab_kubernetes.lab_kubernetes_cluster import (
    CONTROL_PLANE,
    WORKER,
    Cluster,
    Watcher,
    condition,
    crd,
    deployment,
)

LONGHORN_API, LONGHORN_SPACE = "longhorn.io/v1beta2", "longhorn-system"
THIRD = NodeFacts(name="worker-2", role="worker", address="10.42.0.22", loopback="127.42.0.22")
_KINDS = ("Volume", "Node", "Replica", "InstanceManager", "ShareManager", "Setting")


async def install_longhorn(
    cluster: Cluster, *, replicas: int = 2, settings: str = "", locality: str = "disabled"
) -> None:
    """Install Longhorn's kinds, manager, deployer, class and settings, cut down."""
    space: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": LONGHORN_SPACE}}
    await cluster.client.apply(space, manager="m")
    for kind in _KINDS:
        definition = crd(f"{kind.lower()}s", kind, "longhorn.io")
        await cluster.client.apply(definition, manager="m")
        served = cluster.see(
            "apiextensions.k8s.io/v1", "CustomResourceDefinition", name_of(definition)
        )
        await served.until(lambda obj: condition(obj, "Established") == "True")
    manager = deployment("longhorn-manager", LONGHORN_SPACE)
    manager["kind"] = "DaemonSet"
    await cluster.client.apply(manager, manager="m")
    await cluster.client.apply(deployment("longhorn-driver-deployer", LONGHORN_SPACE), manager="m")
    storage = (
        "kind: StorageClass\napiVersion: storage.k8s.io/v1\nmetadata:\n  name: longhorn\n"
        f"provisioner: driver.longhorn.io\nparameters:\n  numberOfReplicas: '{replicas}'\n"
        f"  dataLocality: {locality}\n"
    )
    for name, key, data in (
        ("longhorn-storageclass", "storageclass.yaml", storage),
        ("longhorn-default-setting", "default-setting.yaml", settings),
    ):
        config: Object = {"apiVersion": "v1", "kind": "ConfigMap", "data": {key: data}}
        config["metadata"] = {"name": name, "namespace": LONGHORN_SPACE}
        await cluster.client.apply(config, manager="m")


async def run_database(
    cluster: Cluster, *, node: str = "", size: str = "1Gi", mode: str = "ReadWriteOnce"
) -> Watcher:
    """Run a database that claims a volume, on `node` if given; watches its claim."""
    database = deployment("db")
    database["kind"] = "StatefulSet"
    if node:
        chosen = grow(database, "spec", "template", "spec", "nodeSelector")
        chosen["kubernetes.io/hostname"] = node
    grow(database, "spec")["volumeClaimTemplates"] = [
        {
            "metadata": {"name": "data"},
            "spec": {
                "storageClassName": "longhorn",
                "accessModes": [mode],
                "resources": {"requests": {"storage": size}},
            },
        }
    ]
    await cluster.client.apply(database, manager="m")
    return cluster.see("v1", "PersistentVolumeClaim", "data-db-0", "default")


async def use_volume(
    cluster: Cluster, *, node: str = "", size: str = "1Gi", robustness: str = "healthy"
) -> Watcher:
    """Run a database whose volume is attached, and healthy unless something else is expected."""
    claim = await run_database(cluster, node=node, size=size)
    bound = await claim.until(lambda obj: dig(obj, "status", "phase") == "Bound")
    volume = cluster.see(LONGHORN_API, "Volume", text(bound, "spec", "volumeName"), LONGHORN_SPACE)
    await until(volume, robustness)
    return volume


async def add_node(cluster: Cluster) -> None:
    """Add `worker-2`, and wait until Longhorn has it."""
    await cluster.plane.start_kubelet(THIRD)
    node = cluster.see(LONGHORN_API, "Node", THIRD.name, LONGHORN_SPACE)
    await node.until(lambda obj: bool(dig(obj, "status", "conditions")))


async def until(volume: Watcher, robustness: str) -> Object:
    """Wait until a volume is judged so."""
    return await volume.until(lambda obj: dig(obj, "status", "robustness") == robustness)


async def list_replicas(cluster: Cluster) -> list[Object]:
    """Every replica of every volume."""
    return await cluster.client.list(LONGHORN_API, "Replica", LONGHORN_SPACE)


async def judge_replicas(cluster: Cluster) -> dict[str, bool]:
    """Each node with a replica, and whether it is good."""
    return {
        text(item, "spec", "nodeID"): bool(text(item, "spec", "healthyAt"))
        and not text(item, "spec", "failedAt")
        for item in await list_replicas(cluster)
    }


async def list_managers(cluster: Cluster) -> dict[str, Object]:
    """The instance manager's pod of each node."""
    labels = "longhorn.io/component=instance-manager"
    pods = await cluster.client.list("v1", "Pod", LONGHORN_SPACE, labels=labels)
    return {text(pod, "metadata", "labels", "longhorn.io/node"): pod for pod in pods}


async def find_manager(cluster: Cluster, node: str) -> PodOnNode:
    """Find the instance manager's pod among those that a drain of its node evicts."""
    name = name_of((await list_managers(cluster))[node])
    pods = await cluster.plane.keeper.list_evictable(node)
    return next(pod for pod in pods if pod.name == name)


async def cordon(cluster: Cluster, node: str) -> None:
    """Cordon a node, and wait until Longhorn has seen it."""
    await cluster.plane.keeper.cordon(node)
    await cluster.see(LONGHORN_API, "Node", node, LONGHORN_SPACE).until(
        lambda obj: any(
            text(item, "reason") == "KubernetesNodeCordoned"
            for item in maps(obj, "status", "conditions")
        )
    )


async def set_policy(cluster: Cluster, policy: str) -> None:
    """Set what drains are to wait for."""
    await change_setting(cluster, "node-drain-policy", policy)


async def change_setting(cluster: Cluster, name: str, value: str) -> None:
    """Set one of Longhorn's settings."""
    setting: Object = {"apiVersion": LONGHORN_API, "kind": "Setting", "value": value}
    setting["metadata"] = {"name": name, "namespace": LONGHORN_SPACE}
    await cluster.client.create(setting)


async def give_disks(cluster: Cluster, size: int) -> None:
    """Say how large the disks of both nodes are."""
    for facts in (CONTROL_PLANE, WORKER):
        known = replace(facts, storage={"/var": size}, has_known_disks=True)
        await cluster.plane.start_kubelet(known)


async def evict(cluster: Cluster, node: str, prefix: str) -> None:
    """Evict the pods of a node whose names begin so; none may be refused."""
    for pod in await cluster.plane.keeper.list_evictable(node):
        if pod.name.startswith(prefix):
            assert await cluster.plane.keeper.evict(pod)


def list_rebuilds(cluster: Cluster) -> list[float]:
    """How many seconds each rebuild took."""
    waits = cluster.ledger.waits
    return [wait.seconds for wait in waits if wait.what.endswith(" rebuilt")]

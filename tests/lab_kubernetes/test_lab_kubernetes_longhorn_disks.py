"""Longhorn: what fits on disks, where replicas belong, which ones move, and shared volumes."""

from __future__ import annotations

import pytest

from lab.clock import LabClock
from lab.kubernetes.controllers.longhorn_disks import Disk
from lab.kubernetes.durations import REBUILD_BYTES_PER_S
from lab.kubernetes.values import Object, at, dig, maps, name_of, text
from lab.ledger import Ledger
from tests.lab_kubernetes.lab_kubernetes_cluster import WORKER, Cluster, Watcher, condition
from tests.lab_kubernetes.lab_kubernetes_longhorn import (
    LONGHORN_API,
    LONGHORN_SPACE,
    add_node,
    change_setting,
    cordon,
    find_manager,
    give_disks,
    install_longhorn,
    judge_replicas,
    list_rebuilds,
    list_replicas,
    run_database,
    set_policy,
    until,
    use_volume,
)

GIB = 2**30
DISK = Disk("n", "d", "u", "/x", 100, 100, 30, {}, takes_more=True, is_guess=False)


@pytest.mark.parametrize(
    ("size", "used", "available", "said"),
    [
        (70, 0, 100, ""),
        (71, 0, 100, "ScheduledTotal = 71 (Size + StorageScheduled) is greater than"),
        (10, 10, 36, ""),
        (10, 11, 36, "CurrentAvailable = 25 (StorageAvailable - Required) is less than or equal"),
        (0, 0, 0, "Storage Available must be greater than 0"),
    ],
)
def test_disks_take_what_settings_allow(size: int, used: int, available: int, said: str) -> None:
    """A quarter stays free, and what is promised is at most what is not reserved."""
    disk = Disk("n", "d", "u", "/x", 100, available, 30, {}, takes_more=True, is_guess=False)

    assert said in disk.refuse(size, used, (25, 100))
    assert bool(said) == bool(disk.refuse(size, used, (25, 100)))


def test_a_guessed_disk_is_never_too_small() -> None:
    """Nobody said how large it is, so what is promised of it is not held against it."""
    guessed = Disk("n", "d", "u", "/x", 100, 100, 30, {}, takes_more=True, is_guess=True)

    assert "" == guessed.refuse(500, 0, (25, 100))
    assert "" != DISK.refuse(500, 0, (25, 100))
    assert "" == DISK.refuse(500, 0, (25, 1000))


async def _see_volume(cluster: Cluster, claim: Watcher) -> Watcher:
    bound = await claim.until(lambda obj: dig(obj, "status", "phase") == "Bound")
    return cluster.see(LONGHORN_API, "Volume", text(bound, "spec", "volumeName"), LONGHORN_SPACE)


def _scheduled(volume: Object) -> list[str]:
    conditions = maps(volume, "status", "conditions")
    found = next(item for item in conditions if text(item, "type") == "Scheduled")
    return [text(found, key) for key in ("status", "reason", "message")]


async def test_a_volume_without_room_is_attached_to_nobody(ready: Cluster) -> None:
    """It is bound, says why in Longhorn's words, and its pod waits until a setting makes room."""
    await give_disks(ready, 10 * GIB)
    await install_longhorn(ready)
    volume = await _see_volume(ready, await run_database(ready, size="8Gi"))
    unplaced = await volume.until(lambda obj: condition(obj, "Scheduled") == "False")
    pod = ready.see("v1", "Pod", "db-0", "default")
    await pod.until(lambda obj: "ContainerCreating" in str(obj))
    events = [text(item, "message") for item in await ready.client.list("v1", "Event", "default")]
    backing = await ready.client.get("v1", "PersistentVolume", name_of(unplaced))
    await change_setting(ready, "storage-over-provisioning-percentage", "200")
    await until(volume, "healthy")
    node = await ready.client.get(LONGHORN_API, "Node", "worker-1", LONGHORN_SPACE)
    (disk,) = at(node, "status", "diskStatus").values()
    reason = "precheck new replica failed: insufficient storage"
    annotation = at(backing, "metadata", "annotations")["longhorn.io/volume-scheduling-error"]

    assert ["False", "ReplicaSchedulingFailure", reason] == _scheduled(unplaced)
    assert reason == annotation
    assert "detached" == text(unplaced, "status", "state")
    assert any(said.endswith("detached state with some un-schedulable replicas") for said in events)
    assert (10 * GIB, 8 * GIB) == (dig(disk, "storageMaximum"), dig(disk, "storageScheduled"))


async def test_a_full_disk_takes_no_replica(ready: Cluster) -> None:
    """By a fault: the other node's replica is enough to begin with, and the rest comes after it."""
    ready.plane.set_fault(WORKER.name, "longhorn-disk-full")
    await install_longhorn(ready)
    volume = await use_volume(ready, robustness="degraded")
    lacking = await volume.until(lambda obj: condition(obj, "Scheduled") == "False")
    full = await ready.client.get(LONGHORN_API, "Node", WORKER.name, LONGHORN_SPACE)
    before = await judge_replicas(ready)
    ready.plane.set_fault(WORKER.name, "longhorn-disk-full", on=False)
    healthy = await until(volume, "healthy")

    assert {"cp-1": True} == before
    assert "precheck new replica failed: disks are unavailable" == _scheduled(lacking)[2]
    assert ["True", "", ""] == _scheduled(healthy)
    assert "DiskPressure" in str(at(full, "status", "diskStatus"))


async def test_replicas_leave_a_node_that_is_to_be_drained(ready: Cluster) -> None:
    """By `block-for-eviction` they are made elsewhere first; then the drain goes on."""
    await install_longhorn(ready, settings="node-drain-policy: block-for-eviction")
    await add_node(ready)
    await use_volume(ready, node="worker-1")
    manager = await find_manager(ready, "cp-1")
    await cordon(ready, "cp-1")
    await ready.see("policy/v1", "PodDisruptionBudget", manager.name, LONGHORN_SPACE).until_gone()

    assert {"worker-1": True, "worker-2": True} == await judge_replicas(ready)
    assert [GIB / REBUILD_BYTES_PER_S] == list_rebuilds(ready)


async def test_only_the_last_replica_leaves(ready: Cluster) -> None:
    """By `block-for-eviction-if-contains-last-replica` only what has no other good copy moves."""
    await install_longhorn(ready, replicas=1)
    await set_policy(ready, "block-for-eviction-if-contains-last-replica")
    await use_volume(ready, node="worker-1")
    before = await judge_replicas(ready)
    manager = await find_manager(ready, "cp-1")
    await cordon(ready, "cp-1")
    await ready.see("policy/v1", "PodDisruptionBudget", manager.name, LONGHORN_SPACE).until_gone()

    assert {"cp-1": True} == before
    assert {"worker-1": True} == await judge_replicas(ready)


async def test_a_replica_comes_to_its_pod(ready: Cluster) -> None:
    """With `best-effort` one is on the node that uses the volume, also after the pod moved."""
    await install_longhorn(ready, replicas=1, locality="best-effort")
    volume = await use_volume(ready, node="worker-1")
    first = await judge_replicas(ready)
    (replica,) = await list_replicas(ready)
    await run_database(ready, node="cp-1")
    await ready.client.delete("v1", "Pod", "db-0", "default")
    await volume.until(lambda obj: dig(obj, "status", "currentNodeID") == "cp-1")
    await ready.see(LONGHORN_API, "Replica", name_of(replica), LONGHORN_SPACE).until_gone()

    assert {"worker-1": True} == first
    assert {"cp-1": True} == await judge_replicas(ready)
    assert [GIB / REBUILD_BYTES_PER_S] == list_rebuilds(ready)


async def test_a_strictly_local_volume_stays(ready: Cluster) -> None:
    """Its only replica is where the pod is; on another node the pod cannot attach it."""
    await install_longhorn(ready, replicas=1, locality="strict-local")
    await use_volume(ready, node="worker-1")
    first = await judge_replicas(ready)
    await run_database(ready, node="cp-1")
    await ready.client.delete("v1", "Pod", "db-0", "default")
    said: set[str] = set()
    while not any("moving a strict-local volume" in message for message in said):
        events = await ready.client.list("v1", "Event", "default")
        said = {text(event, "message") for event in events}
        await LabClock(Ledger(), speed=1000.0).pause(1.0)

    assert {"worker-1": True} == first == await judge_replicas(ready)


async def test_shared_volumes_are_served_by_a_pod(ready: Cluster) -> None:
    """It has a Service and no budget; evicted, it is made anew, and the volume follows it."""
    await install_longhorn(ready)
    claim = await run_database(ready, node="worker-1", mode="ReadWriteMany")
    volume = await _see_volume(ready, claim)
    healthy = await until(volume, "healthy")
    name = name_of(healthy)
    keeper, node = ready.plane.keeper, text(healthy, "status", "currentNodeID")
    budgets = await ready.client.list("policy/v1", "PodDisruptionBudget", LONGHORN_SPACE)
    service = await ready.client.get("v1", "Service", name, LONGHORN_SPACE)
    await cordon(ready, node)
    pods = await keeper.list_evictable(node)
    passed = [await keeper.evict(pod) for pod in pods if pod.name == f"share-manager-{name}"]
    await volume.until(lambda obj: dig(obj, "status", "currentNodeID") not in {"", node})
    await ready.client.delete("apps/v1", "StatefulSet", "db", "default")
    share = ready.see(LONGHORN_API, "ShareManager", name, LONGHORN_SPACE)
    stopped = await share.until(lambda obj: dig(obj, "status", "state") == "stopped")

    assert "rwx" == text(healthy, "spec", "accessMode")
    assert [True] == passed
    assert not any("share" in name_of(budget) for budget in budgets)
    assert [2049] == [dig(port, "port") for port in maps(service, "spec", "ports")]
    assert "" == text(stopped, "status", "endpoint")


async def test_rebuilds_copy_what_is_in_a_volume(ready: Cluster) -> None:
    """Where a volume tells how much is in it, the rest is not copied."""
    await install_longhorn(ready)
    volume = await use_volume(ready, node="cp-1", size="10Gi")
    name = name_of(await until(volume, "healthy"))
    body: Object = {"status": {"actualSize": GIB}}
    await ready.client.patch(
        LONGHORN_API, "Volume", name, LONGHORN_SPACE, body=body, subresource="status"
    )
    lost = next(r for r in await list_replicas(ready) if text(r, "spec", "nodeID") == "worker-1")
    await ready.client.delete(LONGHORN_API, "Replica", name_of(lost), LONGHORN_SPACE)
    await until(volume, "degraded")
    await until(volume, "healthy")

    assert [GIB / REBUILD_BYTES_PER_S] == list_rebuilds(ready)

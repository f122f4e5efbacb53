"""Longhorn: instance managers and their budgets, replicas and how healthy volumes are."""

from __future__ import annotations

from datetime import datetime

import pytest

from lab.kubernetes.durations import REBUILD_BYTES_PER_S, REPLENISH_S
from lab.kubernetes.quantities import read_quantity
from lab.kubernetes.values import dig, maps, name_of, text
from tests.lab_kubernetes.lab_kubernetes_cluster import CONTROL_PLANE, WORKER, Cluster
from tests.lab_kubernetes.lab_kubernetes_longhorn import (
    LONGHORN_API,
    LONGHORN_SPACE,
    THIRD,
    add_node,
    cordon,
    evict,
    find_manager,
    install_longhorn,
    judge_replicas,
    list_managers,
    list_rebuilds,
    list_replicas,
    run_database,
    set_policy,
    until,
    use_volume,
)


async def test_statefulsets_get_longhorn_volumes(ready: Cluster) -> None:
    """A claim waits for Longhorn, is bound, and its Volume is attached and healthy.

    A fault takes its replicas away, and gives them back.
    """
    claim = await run_database(ready)
    waiting = await claim.until(lambda _: True)
    await install_longhorn(ready)
    volume = await use_volume(ready)
    healthy = await until(volume, "healthy")
    ready.plane.set_fault("default/db", "volumes-degraded")
    await until(volume, "degraded")
    ready.plane.set_fault("default/db", "volumes-degraded", on=False)
    await until(volume, "healthy")

    assert "Pending" == text(waiting, "status", "phase")
    assert "attached" == text(healthy, "status", "state")
    assert "default" == text(healthy, "status", "kubernetesStatus", "namespace")
    assert {"cp-1": True, "worker-1": True} == await judge_replicas(ready)
    assert [] == list_rebuilds(ready)


async def test_each_node_has_a_guarded_manager(ready: Cluster) -> None:
    """An instance manager runs on each node, owned by its object, and may not be evicted."""
    await install_longhorn(ready)
    await use_volume(ready)
    pods = await list_managers(ready)
    owners = [maps(pod, "metadata", "ownerReferences")[0] for pod in pods.values()]
    budgets = await ready.client.list("policy/v1", "PodDisruptionBudget", LONGHORN_SPACE)

    assert {"cp-1", "worker-1"} == set(pods)
    assert {"InstanceManager"} == {text(owner, "kind") for owner in owners}
    assert {name_of(pod) for pod in pods.values()} == {name_of(budget) for budget in budgets}
    assert {0} == {dig(budget, "status", "disruptionsAllowed") for budget in budgets}


async def test_drains_wait_for_engines(ready: Cluster) -> None:
    """A drain is blocked by an attached volume, passes when it moved, and costs a rebuild."""
    await install_longhorn(ready)
    volume = await use_volume(ready)
    node = text(await until(volume, "healthy"), "status", "currentNodeID")
    manager, keeper = await find_manager(ready, node), ready.plane.keeper
    await cordon(ready, node)
    refused = await keeper.evict(manager)
    await evict(ready, node, "db-0")
    await volume.until(lambda obj: dig(obj, "status", "currentNodeID") not in {"", node})
    await ready.see("policy/v1", "PodDisruptionBudget", manager.name, LONGHORN_SPACE).until_gone()
    passed = await keeper.evict(manager)
    await until(volume, "degraded")
    await ready.see("v1", "Pod", manager.name, LONGHORN_SPACE).until_gone()
    gone = await list_managers(ready)
    await keeper.uncordon(node)
    await until(volume, "healthy")

    assert [False, True] == [refused, passed]
    assert node not in gone
    assert [2**30 / REBUILD_BYTES_PER_S] == list_rebuilds(ready)


@pytest.mark.parametrize("policy", ["always-allow", "allow-if-replica-is-stopped"])
async def test_the_last_replica_blocks_a_drain(ready: Cluster, policy: str) -> None:
    """A node with the only replica is not drained, engine or not, unless the setting says so."""
    await install_longhorn(ready, replicas=1)
    volume = await use_volume(ready, node="worker-1")
    (node,) = await judge_replicas(ready)
    manager = await find_manager(ready, node)
    await cordon(ready, node)
    await ready.client.delete("apps/v1", "StatefulSet", "db", "default")
    await volume.until(lambda obj: dig(obj, "status", "state") == "detached")
    refused = await ready.plane.keeper.evict(manager)
    await set_policy(ready, policy)
    await ready.see("policy/v1", "PodDisruptionBudget", manager.name, LONGHORN_SPACE).until_gone()

    assert not refused
    assert await ready.plane.keeper.evict(manager)


async def test_replicas_may_have_to_be_evicted_first(ready: Cluster) -> None:
    """By `block-for-eviction` of the chart's settings any replica blocks; by default it does not.

    A setting's object goes before what the chart says.
    """
    await install_longhorn(ready, settings="node-drain-policy: block-for-eviction")
    await use_volume(ready, node="worker-1")
    manager = await find_manager(ready, "cp-1")
    await cordon(ready, "cp-1")
    refused = await ready.plane.keeper.evict(manager)
    await set_policy(ready, "block-if-contains-last-replica")
    await ready.see("policy/v1", "PodDisruptionBudget", manager.name, LONGHORN_SPACE).until_gone()

    assert not refused
    assert await ready.plane.keeper.evict(manager)


async def test_replicas_keep_apart(ready: Cluster) -> None:
    """Where nodes lack a volume is degraded, and a node that comes later gets its replica."""
    await install_longhorn(ready, replicas=3)
    volume = await use_volume(ready, robustness="degraded")
    nodes = [text(item, "spec", "nodeID") for item in await list_replicas(ready)]
    await add_node(ready)
    await until(volume, "healthy")

    assert ["cp-1", "worker-1"] == sorted(nodes)
    assert {"cp-1": True, "worker-1": True, "worker-2": True} == await judge_replicas(ready)


async def test_replicas_may_share_a_node(ready: Cluster) -> None:
    """With soft anti-affinity in the chart's settings all replicas are placed."""
    await install_longhorn(ready, replicas=3, settings="replica-soft-anti-affinity: true")
    await use_volume(ready)

    assert 3 == len(await list_replicas(ready))


async def test_lost_replicas_are_made_elsewhere(ready: Cluster) -> None:
    """A replica whose node stays away is made anew on a free node, after Longhorn's patience."""
    await install_longhorn(ready)
    volume = await use_volume(ready, node="cp-1")
    await add_node(ready)
    before = await judge_replicas(ready)
    await ready.plane.stop_kubelet(WORKER.name)
    await until(volume, "degraded")
    failed = await judge_replicas(ready)
    at = [text(item, "spec", "failedAt") for item in await list_replicas(ready)]
    await until(volume, "healthy")
    made = [text(item, "metadata", "creationTimestamp") for item in await list_replicas(ready)]
    waited = datetime.fromisoformat(max(made)) - datetime.fromisoformat(max(at))

    assert {"cp-1": True, "worker-1": True} == before
    assert {"cp-1": True, "worker-1": False} == failed
    assert {"cp-1": True, "worker-2": True} == await judge_replicas(ready)
    assert [2**30 / REBUILD_BYTES_PER_S] == list_rebuilds(ready)
    assert REPLENISH_S <= waited.total_seconds() < 2 * REPLENISH_S


async def test_volumes_are_salvaged(ready: Cluster) -> None:
    """Without any good replica a volume is faulted, until the node of the last one returns."""
    await install_longhorn(ready, replicas=1)
    volume = await use_volume(ready, node="worker-1")
    assert {"cp-1": True} == await judge_replicas(ready)
    await ready.plane.stop_kubelet(CONTROL_PLANE.name)
    await until(volume, "faulted")
    await ready.plane.start_kubelet(CONTROL_PLANE)
    await until(volume, "healthy")

    assert [] == list_rebuilds(ready)


async def test_half_a_rebuild_is_no_copy(ready: Cluster) -> None:
    """When the only good replica goes during a rebuild, what was rebuilt so far is not taken."""
    await install_longhorn(ready)
    await add_node(ready)
    volume = await use_volume(ready, node=THIRD.name, size="100Gi")
    before = await judge_replicas(ready)
    await ready.plane.stop_kubelet(WORKER.name)
    await until(volume, "degraded")
    rebuilt = next(
        item for item in await list_replicas(ready) if text(item, "spec", "nodeID") == WORKER.name
    )
    await ready.plane.start_kubelet(WORKER)
    await ready.see(LONGHORN_API, "Replica", name_of(rebuilt), LONGHORN_SPACE).until(
        lambda obj: not text(obj, "spec", "failedAt")
    )
    await ready.plane.stop_kubelet(CONTROL_PLANE.name)
    await until(volume, "faulted")
    left = await judge_replicas(ready)
    await ready.plane.start_kubelet(CONTROL_PLANE)
    await until(volume, "degraded")

    assert {"cp-1": True, "worker-1": True} == before
    assert {"cp-1": False, "worker-1": False} == left
    assert {"cp-1": True, "worker-1": False} == await judge_replicas(ready)


async def test_an_engine_rests_with_its_node(ready: Cluster) -> None:
    """While the node that uses a volume reboots nothing is known of it, and nothing is rebuilt."""
    await install_longhorn(ready)
    volume = await use_volume(ready, node="worker-1")
    await ready.plane.stop_kubelet(WORKER.name)
    await until(volume, "unknown")
    await ready.plane.start_kubelet(WORKER)
    await until(volume, "healthy")

    assert [] == list_rebuilds(ready)


def test_sizes_are_read() -> None:
    """Sizes of claims count in bytes, whatever their unit."""
    read = {written: read_quantity(written) for written in ("1Gi", "1.5Gi", "2G", "1024", "5x", "")}

    assert {"1Gi": 2**30, "1.5Gi": 3 * 2**29, "2G": 2 * 10**9, "1024": 1024, "5x": 0, "": 0} == read

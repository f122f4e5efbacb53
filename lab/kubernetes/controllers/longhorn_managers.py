"""Longhorn's instance managers: one pod for each node, and the budget that blocks its drain.

Source: `controller/instance_manager_controller.go` of longhorn-manager: `handlePod`,
`syncInstanceManagerPDB` and `canDeleteInstanceManagerPDB`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache

import yaml

from lab.kubernetes.controllers.children import is_ready
from lab.kubernetes.controllers.world import World, is_true
from lab.kubernetes.durations import CREATE_AGAIN_S
from lab.kubernetes.errors import ForbiddenError, InvalidError
from lab.kubernetes.store import Place
from lab.kubernetes.values import (
    Object,
    dig,
    name_of,
    namespace_of,
    reference_of,
    text,
    uid_of,
)

__all__ = [
    "API",
    "DRIVER",
    "LONGHORN_NODES",
    "MANAGERS",
    "REPLICAS",
    "VOLUMES",
    "describe",
    "find_usable",
    "is_cordoned",
    "is_good",
    "is_protected",
    "keep_budgets",
    "keep_managers",
    "read_policy",
    "read_setting",
]

API, DRIVER = "longhorn.io/v1beta2", "driver.longhorn.io"
VOLUMES, LONGHORN_NODES = "volumes.longhorn.io", "nodes.longhorn.io"
REPLICAS, MANAGERS = "replicas.longhorn.io", "instancemanagers.longhorn.io"
_BUDGETS = "poddisruptionbudgets.policy"
_IMAGE = "longhornio/longhorn-instance-manager:lab"
_POLICY = "node-drain-policy"


def read_setting(world: World, namespace: str, name: str, default: str) -> str:
    """Read a setting of Longhorn: its object's, or what the chart gives, or its default."""
    found = world.store.get("settings.longhorn.io", namespace, name)
    if found is not None and text(found, "value"):
        return text(found, "value")
    given = world.store.get("configmaps", namespace, "longhorn-default-setting")
    return dict(_read_defaults(text(given or {}, "data", "default-setting.yaml"))).get(
        name, default
    )


def read_policy(world: World, namespace: str) -> str:
    """Read what a drain has to wait for."""
    return read_setting(world, namespace, _POLICY, "block-if-contains-last-replica")


@lru_cache(maxsize=16)
def _read_defaults(written: str) -> tuple[tuple[str, str], ...]:
    try:
        loaded = yaml.safe_load(written)
    except yaml.YAMLError:
        return ()
    if not isinstance(loaded, dict):
        return ()
    return tuple(
        (str(key), str(value).lower() if isinstance(value, bool) else str(value))
        for key, value in loaded.items()
        if value not in (None, "")
    )


def is_cordoned(world: World, node: str) -> bool:
    """Tell whether a node takes no pods, or is not there; as `IsKubeNodeUnschedulable`."""
    found = world.store.get("nodes", "", node)
    return found is None or dig(found, "spec", "unschedulable") is True


def is_good(replica: Object) -> bool:
    """Tell whether a replica holds the whole of its volume."""
    return bool(text(replica, "spec", "healthyAt")) and not text(replica, "spec", "failedAt")


def find_usable(world: World, namespace: str) -> frozenset[str]:
    """Find the nodes where engines and replicas run: Longhorn's node and its manager are up."""
    return frozenset(
        name_of(node)
        for node in world.store.all(LONGHORN_NODES, namespace)
        if is_true(node, "Ready") and _is_up(world, namespace, name_of(node))
    )


def keep_managers(world: World, namespace: str, again: Callable[[], None]) -> None:
    """Have an instance manager on each of Longhorn's nodes; none anew on one that is cordoned.

    What is refused is tried `again` later, and holds up nothing else.
    """
    if not world.api.serves(API, "InstanceManager"):
        return
    for node in world.store.all(LONGHORN_NODES, namespace):
        name = _name_manager(name_of(node))
        place = Place(MANAGERS, namespace, name)
        manager = world.find(place)
        if manager is None:
            if is_true(node, "Ready"):
                world.plant(_make_manager(node))
            manager = world.find(place)
        if manager is None:
            continue
        pod = world.store.get("pods", namespace, name)
        if pod is None and is_true(node, "Ready") and not is_cordoned(world, name_of(node)):
            try:
                world.plant(_make_pod(manager, name_of(node)))
            except (ForbiddenError, InvalidError):
                world.expire(f"again/{uid_of(manager)}", CREATE_AGAIN_S, again)
        state = "stopped" if pod is None else "running" if is_ready(pod) else "starting"
        world.set_status(place, {"currentState": state, "ownerID": name_of(node)})


def keep_budgets(world: World, namespace: str) -> None:
    """Have a budget for each manager that runs, until its cordoned node may be drained."""
    nodes = [name_of(node) for node in world.store.all(LONGHORN_NODES, namespace)]
    for node in nodes:
        if _is_up(world, namespace, node) and not is_cordoned(world, node):
            world.plant(_make_budget(namespace, node))
    for budget in world.store.all(_BUDGETS, namespace):
        node = text(budget, "spec", "selector", "matchLabels", "longhorn.io/node")
        if name_of(budget) != _name_manager(node):
            continue
        place = Place(_BUDGETS, namespace, name_of(budget))
        is_gone = world.store.get(MANAGERS, namespace, place.name) is None
        may_go = _is_up(world, namespace, node) and is_cordoned(world, node)
        if is_gone or (may_go and not _is_needed(world, namespace, node)):
            world.delete(place)


def describe(kind: str, name: str, labels: Object, owner: Object) -> Object:
    """Build the head of one of Longhorn's objects, beside its owner."""
    return {
        "apiVersion": API,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": namespace_of(owner),
            "labels": labels,
            "ownerReferences": [reference_of(owner)],
        },
    }


def _is_up(world: World, namespace: str, node: str) -> bool:
    pod = world.store.get("pods", namespace, _name_manager(node))
    return pod is not None and is_ready(pod)


def _is_needed(world: World, namespace: str, node: str) -> bool:
    """Tell whether a drain of a cordoned node would take an engine or the last good replica."""
    if any(
        text(volume, "status", "currentNodeID") == node
        for volume in world.store.all(VOLUMES, namespace)
    ):
        return True
    policy = read_policy(world, namespace)
    if policy == "always-allow":
        return False
    replicas = world.store.all(REPLICAS, namespace)
    here = [replica for replica in replicas if text(replica, "spec", "nodeID") == node]
    if policy == "block-for-eviction":
        return bool(here)
    protected = {
        text(replica, "spec", "volumeName")
        for replica in replicas
        if is_protected(world, namespace, replica, node)
    }
    return any(
        text(replica, "spec", "volumeName") not in protected
        for replica in here
        if not (
            policy == "allow-if-replica-is-stopped"
            and text(replica, "status", "currentState") == "stopped"
        )
        # What never ran holds no data.
        and (text(replica, "spec", "healthyAt") or text(replica, "spec", "failedAt"))
    )


def is_protected(world: World, namespace: str, replica: Object, but: str) -> bool:
    """Tell whether a replica is good, on another node than `but`, and no drain takes it."""
    node = text(replica, "spec", "nodeID")
    return (
        node != but
        and is_good(replica)
        and not is_cordoned(world, node)
        and _is_up(world, namespace, node)
        and world.store.get(_BUDGETS, namespace, _name_manager(node)) is not None
    )


def _name_manager(node: str) -> str:
    return f"instance-manager-{hashlib.sha256(f'{node} {_IMAGE}'.encode()).hexdigest()[:32]}"


def _label(node: str) -> Object:
    return {
        "longhorn.io/component": "instance-manager",
        "longhorn.io/data-engine": "v1",
        "longhorn.io/instance-manager-type": "aio",
        "longhorn.io/managed-by": "longhorn-manager",
        "longhorn.io/node": node,
    }


def _make_manager(node: Object) -> Object:
    name = name_of(node)
    return {
        **describe("InstanceManager", _name_manager(name), _label(name), node),
        "spec": {"image": _IMAGE, "nodeID": name, "type": "aio", "dataEngine": "v1"},
    }


def _make_pod(manager: Object, node: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name_of(manager),
            "namespace": namespace_of(manager),
            "labels": _label(node),
            "ownerReferences": [reference_of(manager)],
        },
        "spec": {
            "nodeName": node,
            "serviceAccountName": "default",
            # Never in life, where Longhorn makes it anew; the lab's kubelet starts it again.
            "restartPolicy": "Always",
            "containers": [{"name": "instance-manager", "image": _IMAGE}],
        },
    }


def _make_budget(namespace: str, node: str) -> Object:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": _name_manager(node), "namespace": namespace},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": _label(node)}},
    }

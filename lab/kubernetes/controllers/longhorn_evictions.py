"""Replicas that Longhorn moves away by itself: from nodes that are to be drained, and on request.

Source: `controller/node_controller.go` (`shouldEvictReplica`) of longhorn-manager.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from lab.kubernetes.controllers.longhorn_managers import (
    LONGHORN_NODES,
    REPLICAS,
    is_cordoned,
    is_protected,
    read_policy,
)
from lab.kubernetes.controllers.world import World
from lab.kubernetes.store import Place
from lab.kubernetes.values import (
    Object,
    at,
    dig,
    grow,
    name_of,
    namespace_of,
    text,
)

__all__ = ["is_leaving", "mark_evictions"]


def is_leaving(replica: Object) -> bool:
    """Tell whether a replica is to be moved to another disk."""
    return dig(replica, "spec", "evictionRequested") is True


def mark_evictions(
    world: World, volume: Object, replicas: Iterable[Object], usable: Collection[str]
) -> bool:
    """Ask for the eviction of each replica that is to go, or take that back; is there any?"""
    namespace, is_any = namespace_of(volume), False
    for replica in replicas:
        leaves = text(replica, "spec", "nodeID") in usable and _should_leave(world, replica)
        is_any = is_any or leaves
        if leaves == is_leaving(replica):
            continue
        place = Place(REPLICAS, namespace, name_of(replica))
        _ask(world, place, leaves=leaves)
        verb = "Requesting" if leaves else "Cancelling"
        node, disk = text(replica, "spec", "nodeID"), text(replica, "spec", "diskID")
        said = f"{verb} replica {place.name} eviction from node {node} and disk {disk}"
        reason = "EvictionAutomatic" if leaves else "EvictionCanceled"
        world.tell(replica, reason, said, warning=False)
    return is_any


def _ask(world: World, place: Place, *, leaves: bool) -> None:
    world.edit(place, lambda obj: grow(obj, "spec").update({"evictionRequested": leaves}))


def _should_leave(world: World, replica: Object) -> bool:
    namespace, node = namespace_of(replica), text(replica, "spec", "nodeID")
    found = world.store.get(LONGHORN_NODES, namespace, node) or {}
    path = text(replica, "spec", "diskPath")
    asked = [at(found, "spec")]
    asked += [at(disks, name) for disks in [at(found, "spec", "disks")] for name in disks]
    if any(
        dig(item, "evictionRequested") is True and text(item, "path") in {"", path}
        for item in asked
    ):
        return True
    if not is_cordoned(world, node):
        return False
    policy = read_policy(world, namespace)
    if policy != "block-for-eviction-if-contains-last-replica":
        return policy == "block-for-eviction"
    volume = text(replica, "spec", "volumeName")
    return not any(
        text(item, "spec", "volumeName") == volume and is_protected(world, namespace, item, node)
        for item in world.store.all(REPLICAS, namespace)
    )

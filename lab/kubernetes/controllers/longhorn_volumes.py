"""Longhorn's volumes: who uses one, how healthy it is, and whether its replicas have a place."""

from __future__ import annotations

from collections.abc import Callable

from lab.kubernetes.controllers.longhorn_managers import API, LONGHORN_NODES, REPLICAS, read_setting
from lab.kubernetes.controllers.longhorn_replicas import Kept, Replicas
from lab.kubernetes.controllers.longhorn_shares import is_shared, keep_share
from lab.kubernetes.controllers.world import World, set_condition
from lab.kubernetes.store import Place
from lab.kubernetes.values import (
    Object,
    at,
    dig,
    grow,
    is_going,
    maps,
    name_of,
    namespace_of,
    number,
    text,
)

__all__ = ["Volumes"]

_ANNOTATION = "longhorn.io/volume-scheduling-error"
_SHARES = (API, "ShareManager")
_UNPLACED = "precheck new replica failed: "


class Volumes:
    """Judges one volume at a time, and has its replicas kept."""

    def __init__(self, world: World, again: Callable[[Place], None]) -> None:
        self._world = world
        self._replicas = Replicas(world, again)

    def judge(self, place: Place, usable: frozenset[str]) -> None:
        """Keep a volume's replicas, and say how it stands."""
        volume = self._world.find(place)
        if volume is None or is_going(volume):
            return
        user = self._find_user(place.name)
        node = self._find_engine(volume, user)
        # An engine that is down with its node uses no replica: none fails.
        is_down = node not in usable and self._has_node(place.namespace, node)
        kept = self._replicas.keep(volume, usable, "" if is_down else node)
        wanted = number(volume, "spec", "numberOfReplicas", default=3)
        judged = "healthy" if kept.good >= wanted else "degraded" if kept.good else "faulted"
        if user and self._world.faults.is_degraded(f"{namespace_of(user)}/{name_of(user)}"):
            judged = "degraded"

        def change(obj: Object) -> None:
            grow(obj, "spec")["nodeID"] = node
            grow(obj, "status").update(
                {
                    "state": "attached" if node else "detached",
                    "robustness": judged if node and not is_down else "unknown",
                    "currentNodeID": node,
                    "ownerID": node,
                }
            )
            self._set_scheduled(obj, kept)

        self._world.edit(place, change)
        self._annotate(place.name, kept.refusal)

    def _find_engine(self, volume: Object, user: Object | None) -> str:
        """Find the node that a volume is attached to; a shared one to where it is served."""
        if is_shared(volume):
            served = keep_share(self._world, volume, is_used=user is not None)
            user = served or (None if self._world.api.serves(*_SHARES) else user)
        return text(user or {}, "spec", "nodeName")

    def _set_scheduled(self, volume: Object, kept: Kept) -> None:
        """Say whether all replicas have their place, in the words of `reconcileVolumeCondition`."""
        status, said = grow(volume, "status"), kept.refusal
        value, reason = ("False", "ReplicaSchedulingFailure") if said else ("True", "")
        if said and not text(status, "currentNodeID") and self._may_be_degraded(volume):
            value, reason = "True", ""
            said = "Reset schedulable due to allow volume creation with degraded availability"
        elif said:
            said = f"{_UNPLACED}{said}"
        set_condition(status, "Scheduled", value, reason, said, now=self._world.api.now())

    def _may_be_degraded(self, volume: Object) -> bool:
        """Tell whether one replica is enough to begin with, and there is one."""
        name, namespace = "allow-volume-creation-with-degraded-availability", namespace_of(volume)
        return read_setting(self._world, namespace, name, "true") == "true" and any(
            text(item, "spec", "volumeName") == name_of(volume)
            and not text(item, "spec", "failedAt")
            for item in self._world.store.all(REPLICAS, namespace)
        )

    def _annotate(self, volume: str, refusal: str) -> None:
        """Tell on the PersistentVolume, too, why replicas are not placed."""
        backing = Place("persistentvolumes", "", volume)
        known = at(self._world.find(backing), "metadata", "annotations")

        def change(obj: Object) -> None:
            annotations = grow(obj, "metadata", "annotations")
            annotations.pop(_ANNOTATION, None)
            if refusal:
                annotations[_ANNOTATION] = f"{_UNPLACED}{refusal}"

        if refusal or _ANNOTATION in known:
            self._world.edit(backing, change)

    def _has_node(self, namespace: str, node: str) -> bool:
        return self._world.store.get(LONGHORN_NODES, namespace, node) is not None

    def _find_user(self, volume: str) -> Object | None:
        """Find a pod on a node that mounts the volume's claim."""
        backing = self._world.store.get("persistentvolumes", "", volume)
        claim = at(backing, "spec", "claimRef")
        for pod in self._world.store.all("pods", text(claim, "namespace")) if claim else ():
            mounted = {
                text(item, "persistentVolumeClaim", "claimName")
                for item in maps(pod, "spec", "volumes")
            }
            if text(claim, "name") in mounted and dig(pod, "status", "phase") == "Running":
                return pod
        return None

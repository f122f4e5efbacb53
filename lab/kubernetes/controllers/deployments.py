"""Deployments and ReplicaSets, with a rolling update that brings up the new before the old goes."""

from __future__ import annotations

from collections.abc import Iterable

from lab.kubernetes.controllers.children import (
    is_ready,
    list_children,
    make_pod,
    owner_places,
    place_of,
    plant_pod,
)
from lab.kubernetes.controllers.world import World, digest_of, find_condition, set_condition
from lab.kubernetes.durations import PROGRESS_DEADLINE_S
from lab.kubernetes.store import Change, Place
from lab.kubernetes.values import (
    Json,
    Object,
    at,
    clone_map,
    dig,
    grow,
    is_going,
    labels_of,
    name_of,
    namespace_of,
    number,
    reference_of,
    text,
    uid_of,
)

__all__ = ["Deployments", "ReplicaSets"]

_HASH = "pod-template-hash"


class Deployments:
    """Keeps one ReplicaSet a template and rolls from the old to the new."""

    resources = frozenset({"deployments.apps", "replicasets.apps"})

    def __init__(self, world: World) -> None:
        self._world = world

    def places(self, change: Change) -> Iterable[Place]:
        """A Deployment, or the one that owns a changed ReplicaSet."""
        return owner_places(change, "Deployment", "deployments.apps")

    def reconcile(self, place: Place) -> None:
        """Bring a Deployment's ReplicaSets to its spec and its status to them."""
        owner = self._world.find(place)
        if owner is None or is_going(owner):
            return
        digest = digest_of(dig(owner, "spec", "template"))
        sets = list_children(self._world, owner, "replicasets.apps")
        current = next((item for item in sets if labels_of(item).get(_HASH) == digest), None)
        wanted = number(owner, "spec", "replicas", default=1)
        old = [item for item in sets if item is not current]
        if current is None:
            recreate = text(owner, "spec", "strategy", "type") == "Recreate"
            running = sum(number(item, "status", "replicas") for item in old)
            if recreate and running:
                self._shrink(old, 0)
            else:
                current = self._make_set(owner, digest, wanted, len(sets) + 1)
        else:
            self._scale(current, wanted)
            available = number(current, "status", "availableReplicas")
            self._shrink(old, max(0, wanted - available))
        sets = list_children(self._world, owner, "replicasets.apps")
        self._roll_up(place, owner, current, sets)

    def _make_set(self, owner: Object, digest: str, replicas: int, revision: int) -> Object | None:
        template = clone_map(at(owner, "spec", "template"))
        grow(template, "metadata", "labels")[_HASH] = digest
        references: list[Json] = [reference_of(owner)]
        labels: Object = dict(at(template, "metadata", "labels"))
        selector = clone_map(at(owner, "spec", "selector"))
        grow(selector, "matchLabels")[_HASH] = digest
        return self._world.plant(
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "metadata": {
                    "name": f"{name_of(owner)}-{digest}",
                    "namespace": namespace_of(owner),
                    "labels": labels,
                    "annotations": {"deployment.kubernetes.io/revision": str(revision)},
                    "ownerReferences": references,
                },
                "spec": {"replicas": replicas, "selector": selector, "template": template},
            }
        )

    def _scale(self, replicas: Object, wanted: int) -> None:
        self._world.edit(
            place_of("replicasets.apps", replicas),
            lambda obj: grow(obj, "spec").update({"replicas": wanted}),
        )

    def _shrink(self, old: list[Object], left: int) -> None:
        for item in old:
            keep = min(left, number(item, "spec", "replicas"))
            self._scale(item, keep)
            left -= keep

    def _roll_up(
        self, place: Place, owner: Object, current: Object | None, sets: list[Object]
    ) -> None:
        wanted = number(owner, "spec", "replicas", default=1)
        counts = {
            key: sum(number(item, "status", key) for item in sets)
            for key in ("replicas", "readyReplicas", "availableReplicas")
        }
        updated = number(current or {}, "status", "replicas")
        fresh = (
            number(
                self._world.find(place_of("replicasets.apps", current)) or {},
                "status",
                "availableReplicas",
            )
            if current
            else 0
        )
        complete = fresh >= wanted and counts["replicas"] == wanted
        now = self._world.api.now()

        def change(obj: Object) -> None:
            status = grow(obj, "status")
            status.update(counts)
            status["updatedReplicas"] = updated
            status["unavailableReplicas"] = max(0, wanted - counts["availableReplicas"])
            status["observedGeneration"] = number(obj, "metadata", "generation")
            _judge_availability(status, wanted, counts["availableReplicas"], now)
            _judge_progress(status, name_of(current or {}), now, complete=complete)
            for key in ("replicas", "readyReplicas", "availableReplicas", "unavailableReplicas"):
                if status[key] == 0:
                    del status[key]

        self._world.edit(place, change)
        self._watch_deadline(place, owner, complete=complete)

    def _watch_deadline(self, place: Place, owner: Object, *, complete: bool) -> None:
        key = f"deadline/{uid_of(owner)}/{number(owner, 'metadata', 'generation')}"
        if complete:
            self._world.forget(key)
            return
        seconds = number(owner, "spec", "progressDeadlineSeconds") or PROGRESS_DEADLINE_S
        self._world.expire(key, seconds, lambda: self._give_up(place))

    def _give_up(self, place: Place) -> None:
        def change(obj: Object) -> None:
            if text(find_condition(obj, "Progressing"), "reason") == "ReplicaSetUpdated":
                set_condition(
                    grow(obj, "status"),
                    "Progressing",
                    "False",
                    "ProgressDeadlineExceeded",
                    f'ReplicaSet of "{place.name}" has timed out progressing.',
                    now=self._world.api.now(),
                )

        self._world.edit(place, change)


def _judge_availability(status: Object, wanted: int, available: int, now: str) -> None:
    if available >= max(1, wanted) or wanted == 0:
        reason, message = "MinimumReplicasAvailable", "Deployment has minimum availability."
        set_condition(status, "Available", "True", reason, message, now=now)
    else:
        reason = "MinimumReplicasUnavailable"
        message = "Deployment does not have minimum availability."
        set_condition(status, "Available", "False", reason, message, now=now)


def _judge_progress(status: Object, replica_set: str, now: str, *, complete: bool) -> None:
    before = find_condition({"status": status}, "Progressing")
    if complete:
        message = f'ReplicaSet "{replica_set}" has successfully progressed.'
        set_condition(status, "Progressing", "True", "NewReplicaSetAvailable", message, now=now)
    elif text(before, "reason") != "ProgressDeadlineExceeded":
        message = f'ReplicaSet "{replica_set}" is progressing.'
        set_condition(status, "Progressing", "True", "ReplicaSetUpdated", message, now=now)


class ReplicaSets:
    """Keeps as many pods as asked for."""

    resources = frozenset({"replicasets.apps", "pods"})

    def __init__(self, world: World) -> None:
        self._world = world

    def places(self, change: Change) -> Iterable[Place]:
        """A ReplicaSet, or the one that owns a changed pod."""
        return owner_places(change, "ReplicaSet", "replicasets.apps")

    def reconcile(self, place: Place) -> None:
        """Create or delete pods, and count them."""
        owner = self._world.find(place)
        if owner is None or is_going(owner):
            return
        pods = list_children(self._world, owner, "pods")
        alive = [pod for pod in pods if not is_going(pod)]
        wanted = number(owner, "spec", "replicas", default=1)
        for _ in range(wanted - len(alive)):
            plant_pod(
                self._world,
                owner,
                make_pod(owner, labels={}),
                lambda: self._world.queue(self, place),
            )
        unready_first = sorted(alive, key=is_ready)
        for pod in unready_first[: max(0, len(alive) - wanted)]:
            self._world.delete(place_of("pods", pod))
        pods = [pod for pod in list_children(self._world, owner, "pods") if not is_going(pod)]
        ready = sum(1 for pod in pods if is_ready(pod))
        status: Object = {
            "replicas": len(pods),
            "fullyLabeledReplicas": len(pods),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "observedGeneration": number(owner, "metadata", "generation"),
        }
        self._world.set_status(place, status)

"""DaemonSets and StatefulSets."""

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
from lab.kubernetes.controllers.scheduling import fits_selector, tolerates
from lab.kubernetes.controllers.world import World, digest_of
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
    maps,
    name_of,
    namespace_of,
    number,
    text,
)

__all__ = ["DaemonSets", "StatefulSets"]

_REVISION = "controller-revision-hash"
# What the DaemonSet controller adds to its pods' tolerations (k8s.io/kubernetes
# pkg/controller/daemon/util): not the NoSchedule taint of a node without network.
_DAEMON_TOLERATIONS = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)


class DaemonSets:
    """Keeps one pod on each node that it tolerates and selects."""

    resources = frozenset({"daemonsets.apps", "pods", "nodes"})

    def __init__(self, world: World) -> None:
        self._world = world

    def places(self, change: Change) -> Iterable[Place]:
        """A DaemonSet, the one that owns a changed pod, or all when nodes change."""
        if change.resource == "nodes":
            before = change.before or {}
            if change.type == "MODIFIED" and _shape(before) == _shape(change.object):
                return
            for owner in self._world.store.all("daemonsets.apps"):
                yield place_of("daemonsets.apps", owner)
            return
        yield from owner_places(change, "DaemonSet", "daemonsets.apps")

    def reconcile(self, place: Place) -> None:
        """Create and delete pods node by node, and count them."""
        owner = self._world.find(place)
        if owner is None or is_going(owner):
            return
        revision = digest_of(dig(owner, "spec", "template"))
        model = _add_tolerations(make_pod(owner, labels={}))
        nodes = [name_of(node) for node in self._world.store.all("nodes") if _fits(model, node)]
        pods: dict[str, Object] = {}
        for pod in list_children(self._world, owner, "pods"):
            node = text(pod, "spec", "nodeName")
            known = self._world.store.get("nodes", "", node)
            if (known is None or not _runs_on(model, known)) and not is_going(pod):
                self._world.delete(place_of("pods", pod))
            elif node not in pods or is_going(pods[node]):
                pods[node] = pod
        for node in nodes:
            if node not in pods:
                pod = make_pod(owner, labels={_REVISION: revision}, node=node)
                plant_pod(
                    self._world,
                    owner,
                    _add_tolerations(pod),
                    lambda: self._world.queue(self, place),
                )
        if text(owner, "spec", "updateStrategy", "type") != "OnDelete":
            self._replace_one(list(pods.values()), revision)
        self._roll_up(place, owner, len(nodes), revision)

    def _replace_one(self, pods: list[Object], revision: str) -> None:
        """Delete one outdated pod, unless another one is not Ready already."""
        outdated = [pod for pod in pods if labels_of(pod).get(_REVISION) != revision]
        current = [pod for pod in pods if labels_of(pod).get(_REVISION) == revision]
        if outdated and all(is_ready(pod) for pod in current):
            if any(is_going(pod) for pod in outdated):
                return
            unready_first = sorted(outdated, key=is_ready)
            self._world.delete(place_of("pods", unready_first[0]))

    def _roll_up(self, place: Place, owner: Object, wanted: int, revision: str) -> None:
        pods = [pod for pod in list_children(self._world, owner, "pods") if not is_going(pod)]
        ready = sum(1 for pod in pods if is_ready(pod))
        updated = sum(1 for pod in pods if labels_of(pod).get(_REVISION) == revision)
        status: Object = {
            "desiredNumberScheduled": wanted,
            "currentNumberScheduled": len(pods),
            "updatedNumberScheduled": updated,
            "numberReady": ready,
            "numberAvailable": ready,
            "numberUnavailable": max(0, wanted - ready),
            "numberMisscheduled": 0,
            "observedGeneration": number(owner, "metadata", "generation"),
        }
        self._world.set_status(place, status)


def _shape(node: Object) -> tuple[Json, dict[str, str]]:
    return node.get("spec"), labels_of(node)


def _add_tolerations(pod: Object) -> Object:
    spec = grow(pod, "spec")
    tolerations: list[Json] = list(maps(spec, "tolerations"))
    for key, effect in _DAEMON_TOLERATIONS:
        tolerations.append({"key": key, "operator": "Exists", "effect": effect})
    if spec.get("hostNetwork"):
        key = "node.kubernetes.io/network-unavailable"
        tolerations.append({"key": key, "operator": "Exists", "effect": "NoSchedule"})
    spec["tolerations"] = tolerations
    return pod


def _fits(pod: Object, node: Object) -> bool:
    """Whether a new pod may go to a node."""
    taints = [taint for taint in maps(node, "spec", "taints") if _refuses_new(taint)]
    return fits_selector(pod, node) and all(tolerates(pod, taint) for taint in taints)


def _runs_on(pod: Object, node: Object) -> bool:
    """Whether a pod that is there may stay: only NoExecute drives it away."""
    taints = [taint for taint in maps(node, "spec", "taints") if taint["effect"] == "NoExecute"]
    return fits_selector(pod, node) and all(tolerates(pod, taint) for taint in taints)


def _refuses_new(taint: Object) -> bool:
    return text(taint, "effect") != "PreferNoSchedule"


class StatefulSets:
    """Keeps numbered pods with claims of their own, one after another unless Parallel."""

    resources = frozenset({"statefulsets.apps", "pods"})

    def __init__(self, world: World) -> None:
        self._world = world

    def places(self, change: Change) -> Iterable[Place]:
        """A StatefulSet, or the one that owns a changed pod."""
        return owner_places(change, "StatefulSet", "statefulsets.apps")

    def reconcile(self, place: Place) -> None:
        """Create, replace and delete pods in order, and count them."""
        owner = self._world.find(place)
        if owner is None or is_going(owner):
            return
        revision = f"{name_of(owner)}-{digest_of(dig(owner, 'spec', 'template'))}"
        pods = {name_of(pod): pod for pod in list_children(self._world, owner, "pods")}
        wanted = [
            f"{name_of(owner)}-{index}"
            for index in range(number(owner, "spec", "replicas", default=1))
        ]
        parallel = text(owner, "spec", "podManagementPolicy") == "Parallel"
        for name in wanted:
            pod = pods.get(name)
            if pod is None:
                self._make_claims(owner, name)
                labels = {_REVISION: revision, "statefulset.kubernetes.io/pod-name": name}
                made = make_pod(owner, name=name, labels=labels)
                plant_pod(
                    self._world,
                    owner,
                    _mount_claims(owner, made),
                    lambda: self._world.queue(self, place),
                )
            if not parallel and (pod is None or not is_ready(pod)):
                break
        for name in sorted(set(pods) - set(wanted), reverse=True):
            if not is_going(pods[name]):
                self._world.delete(place_of("pods", pods[name]))
        self._replace_one([pods[name] for name in wanted if name in pods], revision)
        self._roll_up(place, owner, revision)

    def _replace_one(self, pods: list[Object], revision: str) -> None:
        outdated = [pod for pod in pods if labels_of(pod).get(_REVISION) != revision]
        unready = [pod for pod in pods if not is_ready(pod)]
        waits = any(is_going(pod) for pod in pods) or any(pod not in outdated for pod in unready)
        if outdated and not waits:
            self._world.delete(place_of("pods", outdated[-1]))

    def _make_claims(self, owner: Object, pod: str) -> None:
        for template in maps(owner, "spec", "volumeClaimTemplates"):
            claim = clone_map(template)
            claim.pop("status", None)
            claim.update({"apiVersion": "v1", "kind": "PersistentVolumeClaim"})
            metadata = grow(claim, "metadata")
            metadata["name"] = f"{name_of(template)}-{pod}"
            metadata["namespace"] = namespace_of(owner)
            grow(metadata, "labels").update(at(owner, "spec", "selector", "matchLabels"))
            self._world.plant(claim)

    def _roll_up(self, place: Place, owner: Object, revision: str) -> None:
        pods = [pod for pod in list_children(self._world, owner, "pods") if not is_going(pod)]
        ready = sum(1 for pod in pods if is_ready(pod))
        updated = sum(1 for pod in pods if labels_of(pod).get(_REVISION) == revision)
        before = text(owner, "status", "currentRevision") or revision
        status: Object = {
            "replicas": len(pods),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "currentReplicas": updated if before == revision else len(pods) - updated,
            "updatedReplicas": updated,
            "updateRevision": revision,
            "currentRevision": revision if updated == len(pods) else before,
            "observedGeneration": number(owner, "metadata", "generation"),
        }
        self._world.set_status(place, status)


def _mount_claims(owner: Object, pod: Object) -> Object:
    spec = grow(pod, "spec")
    volumes: list[Json] = list(maps(spec, "volumes"))
    for template in maps(owner, "spec", "volumeClaimTemplates"):
        claim = f"{name_of(template)}-{name_of(pod)}"
        volumes.append({"name": name_of(template), "persistentVolumeClaim": {"claimName": claim}})
    if volumes:
        spec["volumes"] = volumes
    return pod

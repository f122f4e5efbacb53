"""Nodes: registered by their kubelet, Ready once a CNI pod runs there, gone when it stops."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from lab.kubernetes.controllers.children import list_pods_on
from lab.kubernetes.controllers.cloud_manager import NODE_ADDRESS, UNINITIALIZED
from lab.kubernetes.controllers.podstatus import has_network, is_cni_pod
from lab.kubernetes.controllers.world import World, is_true, set_condition
from lab.kubernetes.durations import NODE_LEASE_S, UNREACHABLE_STAY_S
from lab.kubernetes.errors import ApiError
from lab.kubernetes.inside import Insider
from lab.kubernetes.store import Change, Place
from lab.kubernetes.values import (
    Json,
    Object,
    at,
    grow,
    is_going,
    maps,
    name_of,
    namespace_of,
    text,
)
from lab.ports import NodeFacts

__all__ = ["Nodes", "beat", "describe_node", "is_ready", "register_node"]

# Wall seconds: however fast simulated time runs, one heart beat a second is all that is spent.
_SHORTEST_BEAT_S = 1.0
_NOT_READY = "node.kubernetes.io/not-ready"
# The kubelet's own words (pkg/kubelet/nodestatus, containerd's CNI status).
NO_NETWORK = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
    "message:Network plugin returns error: cni plugin not initialized"
)
GOING_DOWN = "node is shutting down"
# kube-controller-manager's (pkg/controller/nodelifecycle).
_SILENT = "Kubelet stopped posting node status."
_UNREACHABLE = "node.kubernetes.io/unreachable"


class Nodes:
    """Keeps the Ready condition and the taints that follow from it."""

    resources = frozenset({"nodes", "pods"})

    def __init__(self, world: World) -> None:
        self._world = world
        self._driving: dict[str, set[int]] = {}  # by lost nodes, after how many seconds

    def places(self, change: Change) -> Iterable[Place]:
        """A node, or the node of a CNI pod that changed."""
        if change.resource == "nodes":
            yield change.place
        elif is_cni_pod(change.object) and text(change.object, "spec", "nodeName"):
            yield Place("nodes", "", text(change.object, "spec", "nodeName"))

    def reconcile(self, place: Place) -> None:
        """Judge one node."""
        node = self._world.find(place)
        if node is None:
            self._collect_pods(place.name)
            return
        running = place.name in self._world.nodes
        ready = running and has_network(self._world.store, place.name)
        if ready:
            self._world.networked.add(place.name)
        else:
            self._world.networked.discard(place.name)
        now = self._world.api.now()

        def change(obj: Object) -> None:
            status = grow(obj, "status")
            if ready:
                message = "kubelet is posting ready status"
                set_condition(status, "Ready", "True", "KubeletReady", message, now=now)
            elif place.name in self._world.lost:
                set_condition(status, "Ready", "Unknown", "NodeStatusUnknown", _SILENT, now=now)
            else:
                message = NO_NETWORK if running else GOING_DOWN
                set_condition(status, "Ready", "False", "KubeletNotReady", message, now=now)
            _taint(obj, ready=ready, lost=place.name in self._world.lost)

        self._world.edit(place, change)
        self._drive_away(place.name, is_lost=place.name in self._world.lost)

    def _drive_away(self, node: str, *, is_lost: bool) -> None:
        """Delete pods of a node that is not reached when they may stay no longer.

        Nobody stops them there: they are on their way out until the node is heard of again.
        """
        pods = list_pods_on(self._world, node) if is_lost else []
        stays = {stay_s for pod in pods if (stay_s := find_stay(pod)) is not None}
        for stay_s in self._driving.pop(node, set()) - stays:
            self._world.forget(f"drive/{node}/{stay_s}")
        if not stays:
            return
        self._driving[node] = stays

        def drive(stay_s: int) -> None:
            for pod in list_pods_on(self._world, node):
                if find_stay(pod) == stay_s and node in self._world.lost and not is_going(pod):
                    place = Place("pods", namespace_of(pod), name_of(pod))
                    said = f"Marking for deletion Pod {place.namespace}/{place.name}"
                    self._world.tell(pod, "TaintManagerEviction", said, warning=False)
                    self._world.delete(place)

        for stay_s in stays:
            self._world.expire(f"drive/{node}/{stay_s}", stay_s, partial(drive, stay_s))

    def _collect_pods(self, node: str) -> None:
        """Delete the pods of a Node that was deleted, as podgc does."""
        for pod in list_pods_on(self._world, node):
            self._world.delete(Place("pods", namespace_of(pod), name_of(pod)), grace_s=0)


def find_stay(pod: Object) -> int | None:
    """Find how many seconds a pod stays on a node that is not reached; None: until it is."""
    owner = maps(pod, "metadata", "ownerReferences")
    if any(text(item, "kind") in {"DaemonSet", "Node"} for item in owner):
        return None
    for item in maps(pod, "spec", "tolerations"):
        if text(item, "key") in {"", _UNREACHABLE} and text(item, "effect") in {"", "NoExecute"}:
            stays = item.get("tolerationSeconds")
            return stays if isinstance(stays, int) else None
    return UNREACHABLE_STAY_S


def is_ready(world: World, name: str) -> bool:
    """Tell whether a node is Ready."""
    node = world.store.get("nodes", "", name)
    return node is not None and name in world.nodes and is_true(node, "Ready")


def register_node(world: World, facts: NodeFacts) -> None:
    """Create the Node, or refresh what its kubelet knows."""
    place = Place("nodes", "", facts.name)
    if world.find(place) is None:
        world.plant(describe_node(facts))
        _plant_lease(world, facts.name)
        world.plant(_make_csi_node(facts.name))
        return

    def change(obj: Object) -> None:
        # An external cloud's taint comes with a new Node only.
        fresh = describe_node(replace(facts, has_external_cloud=False))
        grow(obj, "metadata", "labels").update(at(fresh, "metadata", "labels"))
        status = grow(obj, "status")
        for key in ("nodeInfo", "addresses", "capacity", "allocatable"):
            status[key] = at(fresh, "status").get(key)
        kept: list[Json] = list(maps(obj, "spec", "taints"))
        known = {(text(taint, "key"), text(taint, "effect")) for taint in maps(kept)}
        kept += [
            taint
            for taint in maps(fresh, "spec", "taints")
            if (text(taint, "key"), text(taint, "effect")) not in known
        ]
        grow(obj, "spec")["taints"] = kept

    world.edit(place, change)


def describe_node(facts: NodeFacts) -> Object:
    """Build the Node that a kubelet registers."""
    labels: Object = {
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux",
        "kubernetes.io/hostname": facts.name,
    }
    if facts.role == "controlplane":
        labels["node-role.kubernetes.io/control-plane"] = ""
    labels.update(facts.labels)
    taints: list[Json] = []
    waiting = ((UNINITIALIZED, "true", "NoSchedule"),) if facts.has_external_cloud else ()
    for key, value, effect in (*facts.taints, (_NOT_READY, "", "NoSchedule"), *waiting):
        taints.append({"key": key, "effect": effect, **({"value": value} if value else {})})
    annotations: Object = {"talos.dev/owned-labels": "[]"}
    if facts.has_external_cloud:
        annotations[NODE_ADDRESS] = facts.address
    room: Object = {"cpu": "8", "memory": "32Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": facts.name,
            "labels": labels,
            "annotations": annotations,
        },
        "spec": {"taints": taints},
        "status": {
            "capacity": room,
            "allocatable": dict(room),
            "addresses": [
                {"type": "InternalIP", "address": facts.address},
                {"type": "Hostname", "address": facts.name},
            ],
            "nodeInfo": {
                "architecture": "amd64",
                "bootID": "",
                "containerRuntimeVersion": "containerd://2.1.5",
                "kernelVersion": "6.18.24-talos",
                "kubeProxyVersion": "",
                "kubeletVersion": facts.kubelet_version,
                "machineID": "",
                "operatingSystem": "linux",
                "osImage": facts.os_image,
                "systemUUID": "",
            },
            "conditions": [],
        },
    }


def _taint(node: Object, *, ready: bool, lost: bool) -> None:
    own = {_NOT_READY, _UNREACHABLE}
    taints: list[Json] = [
        taint for taint in maps(node, "spec", "taints") if text(taint, "key") not in own
    ]
    if not ready:
        key = _UNREACHABLE if lost else _NOT_READY
        taints.append({"key": key, "effect": "NoSchedule"})
    if lost and not ready:
        taints.append({"key": _UNREACHABLE, "effect": "NoExecute"})
    spec = grow(node, "spec")
    if taints:
        spec["taints"] = taints
    else:
        spec.pop("taints", None)


def _plant_lease(world: World, name: str) -> None:
    world.plant(
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": name, "namespace": "kube-node-lease"},
            "spec": {
                "holderIdentity": name,
                "leaseDurationSeconds": 40,
                "renewTime": world.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            },
        }
    )


async def beat(world: World) -> None:
    """Renew one node's Lease at a time, as often as life does or once a wall second."""
    turn = 0
    while True:
        names = sorted(world.nodes.keys() - world.inside.deaf) or [""]
        quarter_s = NODE_LEASE_S / len(names) / world.clock.speed
        await asyncio.sleep(max(quarter_s, _SHORTEST_BEAT_S))
        turn += 1
        with contextlib.suppress(KeyError, ApiError), world.act_as(Insider.KUBELET):
            _renew_lease(world, names[turn % len(names)])


def _renew_lease(world: World, name: str) -> None:
    renewed = world.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    place = Place("leases.coordination.k8s.io", "kube-node-lease", name)
    world.edit(place, lambda obj: grow(obj, "spec").update({"renewTime": renewed}))


def _make_csi_node(name: str) -> Object:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "CSINode",
        "metadata": {"name": name},
        "spec": {"drivers": []},
    }

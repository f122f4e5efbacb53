"""talos-cloud-controller-manager's cloud-node controller: initializes nodes that wait for it.

A kubelet with `--cloud-provider=external` registers its node with a taint that only a cloud
controller manager takes away; other nodes are none of its business (siderolabs'
v1.12.0, `pkg/talos/instances.go`; k8s.io/cloud-provider, `controllers/node`).
"""

from __future__ import annotations

from collections.abc import Iterable

from lab.kubernetes.controllers.approvers import (
    CLOUD_MANAGER,
    WORKLOADS,
    find_running,
    is_workload_of,
)
from lab.kubernetes.controllers.cloud_manager import NODE_ADDRESS, UNINITIALIZED, runs_controller
from lab.kubernetes.controllers.transformations import Transformed, transform_node
from lab.kubernetes.controllers.world import World
from lab.kubernetes.durations import NODE_INITIALIZE_S
from lab.kubernetes.store import Change, Place
from lab.kubernetes.values import Json, Object, at, grow, maps, name_of, text

__all__ = ["NodeInitializer"]

_LABEL = "node.cloudprovider.kubernetes.io"
_PLATFORM = "metal"
_FILE = "ccm-config.yaml"


class NodeInitializer:
    """Gives nodes that wait their provider id and labels, and takes their taint away."""

    resources = frozenset({"nodes", *WORKLOADS})

    def __init__(self, world: World) -> None:
        self._world = world

    def places(self, change: Change) -> Iterable[Place]:
        """A node; every node when the program becomes ready."""
        if change.resource == "nodes":
            yield change.place
        elif is_workload_of(change.object, CLOUD_MANAGER):
            for node in self._world.store.all("nodes"):
                yield Place("nodes", "", name_of(node))

    def reconcile(self, place: Place) -> None:
        """Initialize a node soon."""
        node = self._world.find(place)
        if node is None or not _waits(node) or self._find_manager() is None:
            return
        what = f"node {place.name} initialized"
        self._world.later(
            f"initialize/{place.name}", NODE_INITIALIZE_S, what, lambda: self._initialize(place)
        )

    def _find_manager(self) -> Object | None:
        running = find_running(self._world, CLOUD_MANAGER)
        return next((one for one in running if runs_controller(one, "cloud-node")), None)

    def _initialize(self, place: Place) -> None:
        manager, node = self._find_manager(), self._world.find(place)
        # It asks the node's Talos API, which does not answer while its kubelet is away.
        if manager is None or node is None or place.name not in self._world.nodes:
            return
        told = text(at(node, "metadata", "annotations"), NODE_ADDRESS).partition(",")[0]
        metadata = {"platform": _PLATFORM, "hostname": place.name}
        wanted = transform_node(self._read_config(manager), metadata) if told else Transformed()
        if wanted is None:
            return  # the real one reports an error, and tries again in vain

        def change(obj: Object) -> None:
            spec = grow(obj, "spec")
            taints: list[Json] = [t for t in maps(spec, "taints") if t["key"] != UNINITIALIZED]
            spec["taints"] = [*taints, *wanted.taints]
            if not told:
                return  # "is kubelet has args: --cloud-provider=external on the node?"
            spec.setdefault("providerID", f"talos://{_PLATFORM}/{told}")
            labels = grow(obj, "metadata", "labels")
            labels.update({f"{_LABEL}/platform": _PLATFORM, **wanted.labels})
            grow(obj, "metadata", "annotations").update(wanted.annotations)

        self._world.edit(place, change)

    def _read_config(self, manager: Object) -> str:
        """Read the file that its Deployment mounts from a ConfigMap."""
        for volume in maps(manager, "spec", "template", "spec", "volumes"):
            name = text(volume, "configMap", "name")
            where = Place("configmaps", text(manager, "metadata", "namespace"), name)
            found = self._world.find(where) if name else None
            if found is not None and text(at(found, "data"), _FILE):
                return text(at(found, "data"), _FILE)
        return ""


def _waits(node: Object) -> bool:
    return any(text(taint, "key") == UNINITIALIZED for taint in maps(node, "spec", "taints"))

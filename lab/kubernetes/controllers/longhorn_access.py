"""What stands between a pod and Longhorn's volumes that its claims are bound to.

Source: `types/volumes.go` (`IsVolumeReady`), `csi/controller_server.go` and the validator of
volumes of longhorn-manager; events are those of kube-controller-manager's attach-detach.
"""

from __future__ import annotations

from lab.kubernetes.controllers.longhorn_disks import find_disks
from lab.kubernetes.controllers.longhorn_managers import DRIVER, REPLICAS, VOLUMES, find_usable
from lab.kubernetes.controllers.scheduling import claims_of
from lab.kubernetes.controllers.world import World, find_condition
from lab.kubernetes.values import Object, name_of, namespace_of, text

__all__ = ["explain_unattached"]


def explain_unattached(world: World, pod: Object, node: str) -> str:
    """Say why a volume cannot be attached to a pod's node; empty when all can."""
    for claim in claims_of(pod):
        found = world.store.get("persistentvolumeclaims", namespace_of(pod), claim)
        name = text(found or {}, "spec", "volumeName")
        backing = world.store.get("persistentvolumes", "", name) or {}
        if text(backing, "spec", "csi", "driver") != DRIVER:
            continue
        for volume in world.store.all(VOLUMES):
            if name_of(volume) == name and (why := _explain(world, volume, node)):
                return f'AttachVolume.Attach failed for volume "{name}" : rpc error: {why}'
    return ""


def _explain(world: World, volume: Object, node: str) -> str:
    name, namespace = name_of(volume), namespace_of(volume)
    replicas = [
        item
        for item in world.store.all(REPLICAS, namespace)
        if text(item, "spec", "volumeName") == name
    ]
    scheduled = find_condition(volume, "Scheduled")
    is_detached = text(volume, "status", "state") == "detached"
    if is_detached and text(scheduled, "status") == "False" and not replicas:
        return (
            f"code = Aborted desc = volume {name} is not ready for workloads: volume is"
            " currently in detached state with some un-schedulable replicas"
        )
    if text(volume, "spec", "dataLocality") != "strict-local":
        return ""
    places = {text(item, "spec", "nodeID") for item in replicas}
    if node in places:
        return ""
    if places:
        return (
            "code = Internal desc = cannot attach volume: moving a strict-local volume"
            f" {name} to another node is not supported"
        )
    fitting, _ = find_disks(world, volume, find_usable(world, namespace), ())
    if any(disk.node == node for disk in fitting):
        return ""
    return f"code = DeadlineExceeded desc = volume {name} failed to attach to node {node}"

"""Why a node is not Ready."""

from __future__ import annotations

from lifecycle.diagnosis.scene import Scene
from lifecycle.diagnosis.values import Diagnosis, Key
from lifecycle.drivers.documents import list_at, text_at
from lifecycle.drivers.kubernetes import KubernetesObject

__all__ = ["explain_node"]


def explain_node(scene: Scene, key: Key, item: KubernetesObject | None) -> Diagnosis | None:
    """Explain a node: its CNI, its kubelet, or what its Ready condition says."""
    address = scene.facts.addresses.get(key.name, "") or _address_of(item)
    if item is None:
        return scene.name_cause("node-missing", address=address)
    ready = item.condition("Ready")
    if ready is not None and ready.is_true:
        return None
    said = f"{ready.reason}: {ready.message}" if ready else "says nothing yet"
    return scene.blame(said, "node-not-ready", address=address).under(f"{key}: {said}")


def _address_of(item: KubernetesObject | None) -> str:
    addresses = list_at(item.raw, "status", "addresses") if item else ()
    internal = (text_at(a, "address") for a in addresses if text_at(a, "type") == "InternalIP")
    return next(internal, "")

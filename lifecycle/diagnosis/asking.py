"""What to look at when a step or gate failed, by its name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from inventory import Component, Inventory
from lifecycle.diagnosis.values import Key
from lifecycle.world.layers import find_held, find_skipped, scope_layers

__all__ = ["Room", "Subject", "find_subject", "list_kustomizations"]


class Room(Enum):
    """Where the cause of a failure is looked for first."""

    NOWHERE = "preflight says everything itself"
    MACHINES = "machines, through Talos' API"
    ETCD = "etcd, through Talos' API"
    NODES = "nodes, certificates and the CNI"
    FLUX = "the Flux controllers"
    SOURCES = "sources"
    LAYER = "the components of a layer"
    PROMISES = "webhooks, claims, volumes and addresses"
    CLUSTER = "everything"


@dataclass(frozen=True, slots=True)
class Subject:
    """Where to look, and for which machine, layer or release, else the step's own name."""

    room: Room
    name: str = ""


_LAST = "cluster-is-healthy"

# Steps and gates by the first word of their journal keys.
_ROOMS = {
    "apply-machine-config": Room.MACHINES,
    "bootstrap-etcd": Room.ETCD,
    "etcd-is-healthy": Room.ETCD,
    "fetch-kubeconfig": Room.MACHINES,
    "api-servers-are-ready": Room.MACHINES,
    "lease-is-held": Room.NODES,
    "nodes-are-registered": Room.NODES,
    "approve-serving-certificate": Room.NODES,
    "nodes-are-ready": Room.NODES,
    "install-cni": Room.NODES,
    "dns-answers": Room.NODES,
    "apply-crds": Room.NODES,
    "create-namespaces": Room.NODES,
    "place-age-secret": Room.NODES,
    "place-deploy-key": Room.NODES,
    "place-cluster-variables": Room.NODES,
    "install-flux": Room.FLUX,
    "apply-sources": Room.SOURCES,
    "fetch-commit": Room.SOURCES,
    "sources-are-ready": Room.SOURCES,
    "apply-layer": Room.LAYER,
    "layer-is-ready": Room.LAYER,
    "layer-keeps-promises": Room.PROMISES,
    "hand-over": Room.CLUSTER,
    "entries-are-ready": Room.CLUSTER,
    "release-held": Room.CLUSTER,
    "cluster-is-healthy": Room.CLUSTER,
}


def find_subject(step: str) -> Subject:
    """Return what to look at for a journal key; nothing for those of the preflight."""
    word, _, rest = step.partition("/")
    return Subject(_ROOMS.get(word, Room.NOWHERE), rest or word)


def list_kustomizations(
    inventory: Inventory, subject: Subject, accepted: frozenset[str]
) -> tuple[tuple[Key, ...], ...]:
    """Return the Kustomizations that should be ready by now, by layer, the subject's own first.

    Nobody waits for components accepted as broken, nor for what needs them; upgrade controllers
    are held until the end of a run.
    """
    skipped, held = find_skipped(inventory, accepted), find_held(inventory)
    if subject.room is Room.CLUSTER:
        components = [c for c in inventory.components if c.name not in skipped and not c.suspend]
        if subject.name != _LAST:
            components = [c for c in components if c.name not in held]
        entries = [Key("Kustomization", e.namespace, e.name) for e in inventory.entries]
        return (tuple(_keys_of(components)), tuple(entries))
    scopes = scope_layers(inventory, skipped | held)
    names = [scope.layer.name for scope in scopes]
    if subject.name not in names:
        return ()
    begun = scopes[: names.index(subject.name) + 1]
    return tuple(tuple(_keys_of(scope.awaited)) for scope in reversed(begun))


def _keys_of(components: Iterable[Component]) -> Iterator[Key]:
    return (Key("Kustomization", c.namespace, c.name) for c in components)

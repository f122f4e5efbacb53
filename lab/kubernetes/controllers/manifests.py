"""Talos creates its bootstrap manifests, and keeps what it has created in an inventory.

What is in the inventory is never touched again, not even when somebody deleted it: only
`talosctl upgrade-k8s` changes it. Source: `controllers/k8s/manifest_apply.go` of Talos v1.13.9.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lab.kubernetes.controllers.world import World
from lab.kubernetes.errors import BadRequestError, InvalidError, NotFoundError
from lab.kubernetes.store import Change, Place
from lab.kubernetes.values import Object, at, clone_map, grow, name_of, namespace_of, text
from lab.manifests import INVENTORY, INVENTORY_NAMESPACE, OWNER_MARK, make_manifests
from lab.ports import TalosManifests

__all__ = ["BootstrapManifests"]

_CRDS = "customresourcedefinitions.apiextensions.k8s.io"
_MARK = Place("", "", "bootstrap manifests")
_INVENTORY = Place("configmaps", INVENTORY_NAMESPACE, INVENTORY)
_MANAGER = "talos"
_FIRST = {"Namespace": 0, "CustomResourceDefinition": 1}


class BootstrapManifests:
    """Creates each object once, as soon as its kind and namespace are there."""

    resources = frozenset({_CRDS, "namespaces"})

    def __init__(self, world: World) -> None:
        self._world = world
        self._offers: dict[str, TalosManifests] = {}  # by control plane
        self._done: dict[str, TalosManifests] = {}

    def offer(self, name: str, given: TalosManifests) -> None:
        """Hear what a control plane has to bring, whose API server runs."""
        if self._offers.get(name) != given:
            self._offers[name] = given
            self._world.queue(self, _MARK)

    def withdraw(self, name: str) -> None:
        """Forget a control plane that stopped."""
        self._offers.pop(name, None)
        self._done.pop(name, None)

    def list_applied(self, name: str) -> Sequence[str]:
        """List ids of a control plane's manifests, once all were created."""
        done = self._done.get(name)
        return [manifest.id for manifest in make_manifests(done)] if done else []

    def places(self, change: Change) -> Iterable[Place]:
        """All at once, whatever became possible."""
        del change
        if self._done != self._offers:
            yield _MARK

    def reconcile(self, place: Place) -> None:
        """Create what can be."""
        del place
        for name, given in self._offers.items():
            if self._done.get(name) != given and self._apply(given):
                self._done[name] = given

    def _apply(self, given: TalosManifests) -> bool:
        """Create the objects of one control plane; tell whether none is left."""
        live = self._world.find(_INVENTORY)
        known = set(at(live, "data")) if live is not None else set()
        before, is_whole = set(known), True
        objects = [obj for manifest in make_manifests(given) for obj in manifest.objects]
        try:
            for obj in sorted(objects, key=lambda obj: _FIRST.get(text(obj, "kind"), 2)):
                key = self._create(obj, known)
                is_whole = is_whole and bool(key)
                known |= {key} if key else set()
        finally:
            if known != before or live is None:
                self._keep(known)
        return is_whole

    def _create(self, given: Object, known: set[str]) -> str:
        """Create an object that is not known yet; return its key, "" while it cannot be."""
        api, obj = self._world.api, clone_map(given)
        served = api.registry.find(text(obj, "apiVersion"), text(obj, "kind"))
        if served is None:
            return ""
        metadata = grow(obj, "metadata")
        if served.kind.namespaced:
            metadata.setdefault("namespace", "default")
        else:
            metadata.pop("namespace", None)
        key = _write_key(obj, served.kind.group)
        place = Place(served.kind.resource, namespace_of(obj), name_of(obj))
        if key in known or self._world.find(place) is not None:
            return key
        grow(metadata, "annotations")[OWNER_MARK] = INVENTORY
        try:
            api.apply(obj, manager=_MANAGER)
        except (BadRequestError, InvalidError, NotFoundError):
            return ""  # malformed, or too early: Talos goes on with the others
        return key

    def _keep(self, known: Iterable[str]) -> None:
        data: Object = dict.fromkeys(sorted(known), "")
        inventory: Object = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": INVENTORY, "namespace": INVENTORY_NAMESPACE},
            "data": data,
        }
        if self._world.plant(inventory) is None:
            self._world.edit(_INVENTORY, lambda obj: obj.update({"data": dict(data)}))


def _write_key(obj: Object, group: str) -> str:
    """Name an object as inventories of cli-utils do; colons of RBAC's names are `__`."""
    name = name_of(obj).replace(":", "__")
    return f"{namespace_of(obj)}_{name}_{group}_{text(obj, 'kind')}"

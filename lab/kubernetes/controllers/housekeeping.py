"""Dependents of owners that went, and CRDs that come and go."""

from __future__ import annotations

from collections.abc import Iterable

from lab.kubernetes.controllers.world import World, set_condition
from lab.kubernetes.durations import CRD_ESTABLISH_S
from lab.kubernetes.registry import is_established, read_crd
from lab.kubernetes.store import Change, Place
from lab.kubernetes.values import (
    Json,
    Object,
    dig,
    grow,
    is_going,
    maps,
    name_of,
    namespace_of,
    text,
    texts,
    uid_of,
)

__all__ = ["CrdController", "GarbageController"]

_CRDS = "customresourcedefinitions.apiextensions.k8s.io"
_CLEANUP = "customresourcecleanup.apiextensions.k8s.io"


class GarbageController:
    """Deletes what an object owned once it is gone, and honours foreground and orphan deletion."""

    resources = frozenset({"*"})

    def __init__(self, world: World) -> None:
        self._world = world
        self._gone: dict[Place, str] = {}

    def places(self, change: Change) -> Iterable[Place]:
        """Places whose object went, or waits for its dependents."""
        if change.type == "DELETED":
            uid = uid_of(change.object)
            if self._world.store.owned_by(uid):
                self._gone[change.place] = uid
                yield change.place
            for reference in maps(change.object, "metadata", "ownerReferences"):
                owner = self._find_owner(reference, namespace_of(change.object))
                if owner is not None:
                    yield owner
        elif {"foregroundDeletion", "orphan"} & set(texts(change.object, "metadata", "finalizers")):
            yield change.place

    def reconcile(self, place: Place) -> None:
        """Collect the dependents of one place."""
        uid = self._gone.pop(place, "")
        if uid:
            for dependent in self._world.store.owned_by(uid):
                self._collect(dependent, uid)
        obj = self._world.find(place)
        if obj is None or not is_going(obj):
            return
        finalizers = texts(obj, "metadata", "finalizers")
        if "orphan" in finalizers:
            for dependent in self._world.store.owned_by(uid_of(obj)):
                self._disown(dependent, uid_of(obj))
            self._release(place, "orphan")
        elif "foregroundDeletion" in finalizers:
            for dependent in self._world.store.owned_by(uid_of(obj)):
                self._world.delete(dependent)
            if not self._world.store.owned_by(uid_of(obj)):
                self._release(place, "foregroundDeletion")

    def _collect(self, dependent: Place, uid: str) -> None:
        obj = self._world.find(dependent)
        owners = maps(obj, "metadata", "ownerReferences") if obj else []
        if len(owners) > 1:
            self._disown(dependent, uid)
        else:
            self._world.delete(dependent)

    def _disown(self, dependent: Place, uid: str) -> None:
        def change(obj: Object) -> None:
            kept: list[Json] = [
                reference
                for reference in maps(obj, "metadata", "ownerReferences")
                if text(reference, "uid") != uid
            ]
            grow(obj, "metadata")["ownerReferences"] = kept

        self._world.edit(dependent, change)

    def _release(self, place: Place, finalizer: str) -> None:
        def change(obj: Object) -> None:
            kept: list[Json] = [
                name for name in texts(obj, "metadata", "finalizers") if name != finalizer
            ]
            grow(obj, "metadata")["finalizers"] = kept

        self._world.edit(place, change)

    def _find_owner(self, reference: Object, namespace: str) -> Place | None:
        registry = self._world.api.registry
        served = registry.find(text(reference, "apiVersion"), text(reference, "kind"))
        if served is None:
            return None
        space = namespace if served.kind.namespaced else ""
        place = Place(served.kind.resource, space, text(reference, "name"))
        owner = self._world.find(place)
        held = owner is not None and "foregroundDeletion" in texts(owner, "metadata", "finalizers")
        return place if held else None


class CrdController:
    """Establishes CRDs after a moment and serves their kinds from then on."""

    resources = frozenset({"*"})

    def __init__(self, world: World) -> None:
        self._world = world

    def places(self, change: Change) -> Iterable[Place]:
        """A changed CRD, or the CRD of a custom resource that went."""
        if change.resource == _CRDS:
            if change.type == "DELETED":
                crd = read_crd(change.object)
                self._world.api.registry.remove(crd.resource)
            yield change.place
        elif change.type == "DELETED":
            kind = self._world.api.registry.of_resource(change.resource)
            if kind is not None and kind.crd:
                yield Place(_CRDS, "", kind.crd)

    def reconcile(self, place: Place) -> None:
        """Establish, refresh or clean up one CRD."""
        crd = self._world.find(place)
        if crd is None:
            return
        if is_going(crd):
            self._clean_up(place, crd)
        elif is_established(crd):
            self._serve(crd)
        else:
            key = f"crd/{uid_of(crd)}"
            self._world.later(
                key, CRD_ESTABLISH_S, f"crd {place.name} established", lambda: self._accept(place)
            )

    def _serve(self, crd: Object) -> None:
        kind = read_crd(crd)
        if self._world.api.registry.of_resource(kind.resource) != kind:
            self._world.api.registry.add(kind)

    def _accept(self, place: Place) -> None:
        crd = self._world.find(place)
        if crd is None or is_going(crd):
            return
        self._serve(crd)
        stored: list[Json] = [
            text(item, "name") for item in maps(crd, "spec", "versions") if item.get("storage")
        ]

        def change(obj: Object) -> None:
            status, now = grow(obj, "status"), self._world.api.now()
            status["acceptedNames"] = dig(obj, "spec", "names")
            status["storedVersions"] = stored
            set_condition(
                status, "NamesAccepted", "True", "NoConflicts", "no conflicts found", now=now
            )
            set_condition(
                status,
                "Established",
                "True",
                "InitialNamesAccepted",
                "the initial names have been accepted",
                now=now,
            )

        self._world.edit(place, change)

    def _clean_up(self, place: Place, crd: Object) -> None:
        resource = read_crd(crd).resource
        for obj in self._world.store.all(resource):
            if not is_going(obj):
                self._world.delete(Place(resource, namespace_of(obj), name_of(obj)))
        if self._world.store.count(resource) == 0:

            def change(obj: Object) -> None:
                kept: list[Json] = [
                    name for name in texts(obj, "metadata", "finalizers") if name != _CLEANUP
                ]
                grow(obj, "metadata")["finalizers"] = kept

            self._world.edit(place, change)

"""The data of one cluster: objects by resource, namespace and name, and what changed when.

Objects in here are never changed in place: whoever wants another one puts a new one. So readers
may hold what they got without copying, as long as they only read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lab.kubernetes.errors import GoneError
from lab.kubernetes.values import Object, maps, name_of, namespace_of, text
from lab.ledger import CAUSE

__all__ = ["Change", "Place", "Store"]

# A real API server keeps about five minutes of changes; a number of them is as good here, and
# enough for a reader that pauses while hundreds of pods start.
REMEMBERED_CHANGES = 8000


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object lives: resource (`deployments.apps`), namespace ("" if none), name."""

    resource: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Change:
    """One change: `type` is ADDED, MODIFIED or DELETED; `before` is what stood there.

    `cause` is the wait that it follows from (`lab.ledger`).
    """

    version: int
    type: str
    resource: str
    object: Object
    before: Object | None
    cause: int = 0

    @property
    def place(self) -> Place:
        """Where it happened."""
        return Place(self.resource, namespace_of(self.object), name_of(self.object))


class Store:
    """What etcd holds, with a history for watches and an index of owners."""

    def __init__(self) -> None:
        self.version = 1
        self._objects: dict[str, dict[str, dict[str, Object]]] = {}
        self._changes: deque[Change] = deque(maxlen=REMEMBERED_CHANGES)
        self._listeners: list[Callable[[Change], None]] = []
        self._owned: dict[str, dict[Place, None]] = {}
        self._causes: dict[Place, int] = {}

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """Find one object; do not change it."""
        return self._objects.get(resource, {}).get(namespace, {}).get(name)

    def cause_of(self, resource: str, namespace: str, name: str) -> int:
        """Number of the wait that the last change of an object followed from; 0 for none."""
        return self._causes.get(Place(resource, namespace, name), 0)

    def all(self, resource: str, namespace: str = "") -> list[Object]:
        """All objects of a resource, of one namespace if given, in order of name."""
        spaces = self._objects.get(resource, {})
        # As etcd has its keys in order, in which `a-b/` comes before `a/`.
        chosen = [namespace] if namespace else sorted(spaces, key=lambda space: f"{space}/")
        return [spaces[space][name] for space in chosen for name in sorted(spaces.get(space, {}))]

    def all_at(self, resource: str, namespace: str, version: int) -> list[Object]:
        """All objects as they were at a version, in the same order.

        Raises:
            GoneError: what changed since is forgotten.
        """
        then = {(namespace_of(obj), name_of(obj)): obj for obj in self.all(resource, namespace)}
        for change in reversed(self.changes_since(version)):
            if change.resource == resource and namespace in ("", change.place.namespace):
                place = (change.place.namespace, change.place.name)
                then.pop(place, None)
                if change.before is not None:
                    then[place] = change.before
        return [then[place] for place in sorted(then, key="/".join)]

    def count(self, resource: str) -> int:
        """How many objects of a resource there are."""
        return sum(len(names) for names in self._objects.get(resource, {}).values())

    def resources(self) -> list[str]:
        """Every resource of which there is an object."""
        return [resource for resource in self._objects if self.count(resource)]

    def put(self, resource: str, obj: Object) -> Object:
        """Store `obj` (which now belongs to the store) under a new resourceVersion."""
        self.version += 1
        metadata = obj["metadata"]
        if isinstance(metadata, dict):
            metadata["resourceVersion"] = str(self.version)
        return self.keep(resource, obj)

    def keep(self, resource: str, obj: Object) -> Object:
        """Store `obj` as it is, as the newest change."""
        names = self._objects.setdefault(resource, {}).setdefault(namespace_of(obj), {})
        before = names.get(name_of(obj))
        names[name_of(obj)] = obj
        self._index(resource, before, obj)
        cause = self._causes[Place(resource, namespace_of(obj), name_of(obj))] = CAUSE.get()
        kind = "MODIFIED" if before else "ADDED"
        self._tell(Change(self.version, kind, resource, obj, before, cause))
        return obj

    def remove(self, resource: str, namespace: str, name: str) -> Object | None:
        """Remove one object at once; None if there is none."""
        before = self._objects.get(resource, {}).get(namespace, {}).pop(name, None)
        if before is None:
            return None
        self.version += 1
        last: Object = dict(before)
        metadata = before["metadata"]
        if isinstance(metadata, dict):
            last["metadata"] = {**metadata, "resourceVersion": str(self.version)}
        self._index(resource, before, None)
        self._causes.pop(Place(resource, namespace, name), None)
        self._tell(Change(self.version, "DELETED", resource, last, before, CAUSE.get()))
        return last

    def owned_by(self, uid: str) -> list[Place]:
        """Where the objects are that name `uid` as an owner."""
        return list(self._owned.get(uid, ()))

    def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` on each change, from inside the writer; returns how to stop it."""
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    def changes_since(self, version: int) -> list[Change]:
        """Every remembered change after `version`; none when it is yet to come.

        Raises:
            GoneError: changes after `version` are forgotten.
        """
        oldest = self._changes[0].version if self._changes else self.version + 1
        if version < oldest - 1:
            raise GoneError(f"too old resource version: {version} ({oldest})")
        return [change for change in self._changes if change.version > version]

    def _tell(self, change: Change) -> None:
        self._changes.append(change)
        for listener in tuple(self._listeners):
            listener(change)

    def _index(self, resource: str, before: Object | None, after: Object | None) -> None:
        old, new = set(_owners(before)), set(_owners(after))
        if old == new:
            return
        known = after or before or {}
        place = Place(resource, namespace_of(known), name_of(known))
        for uid in old - new:
            self._owned.get(uid, {}).pop(place, None)
            if not self._owned.get(uid):
                self._owned.pop(uid, None)
        for uid in new - old:
            self._owned.setdefault(uid, {})[place] = None


def _owners(obj: Object | None) -> Iterator[str]:
    if obj is not None:
        for reference in maps(obj, "metadata", "ownerReferences"):
            yield text(reference, "uid")

"""What the real API server holds, as last heard: the lab's controllers read it as their store."""

from __future__ import annotations

from collections.abc import Iterable

from lab.kubernetes.store import Store
from lab.kubernetes.values import Object, name_of, namespace_of, text, uid_of

__all__ = ["MirrorStore", "version_of"]

# Arbitrary: more than are deleted while an event about them is under way.
_REMEMBERED_GONE = 20_000


class MirrorStore(Store):
    """Takes answers to writes and events of watches, in whatever order; the newer one counts.

    Versions of the store itself only grow with what it hears, and are never below the newest
    resourceVersion: events of several watches come out of their order.
    """

    def __init__(self) -> None:
        super().__init__()
        self._gone: dict[str, None] = {}

    def accept(self, resource: str, obj: Object) -> None:
        """Take an object over, unless what is known is as new or it is known to be gone."""
        if uid_of(obj) in self._gone:
            return
        known = self.get(resource, namespace_of(obj), name_of(obj))
        if known is not None:
            if version_of(known) >= version_of(obj):
                return
            if uid_of(known) != uid_of(obj):
                self.vanish(resource, known)
        self.version = max(self.version + 1, version_of(obj))
        self.keep(resource, obj)

    def vanish(self, resource: str, obj: Object) -> None:
        """Note that an object is gone, whatever is heard of it later."""
        self._gone[uid_of(obj)] = None
        if len(self._gone) > _REMEMBERED_GONE:
            self._gone.pop(next(iter(self._gone)))
        known = self.get(resource, namespace_of(obj), name_of(obj))
        if known is not None and uid_of(known) == uid_of(obj):
            self.remove(resource, namespace_of(obj), name_of(obj))

    def settle(self, resource: str, listed: Iterable[Object], version: int) -> None:
        """Take a whole list over, of which `version` is the resourceVersion."""
        uids = set()
        for obj in listed:
            uids.add(uid_of(obj))
            self.accept(resource, obj)
        for known in self.all(resource):
            if uid_of(known) not in uids and version_of(known) <= version:
                self.vanish(resource, known)


def version_of(obj: Object) -> int:
    """Return the resourceVersion as the number that etcd's revision is."""
    version = text(obj, "metadata", "resourceVersion")
    return int(version) if version.isdigit() else 0

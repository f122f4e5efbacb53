"""How the cluster's own components write: what a controller or a kubelet makes, it has made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from lab.kubernetes.defaults import fill_in, fill_in_new
from lab.kubernetes.kinds import Kind
from lab.kubernetes.store import Place, Store
from lab.kubernetes.users import ADMIN
from lab.kubernetes.values import Object, at, clone_map, grow
from lab.kubernetes.writing import Writer

__all__ = ["ComponentWriter", "DirectWriter"]


class ComponentWriter(Protocol):
    """Writes objects whole, status and all; whether they exist was looked up before."""

    def plant(self, kind: Kind, obj: Object) -> Object | None:
        """Create an object, its status included; None when somebody else just did."""
        ...

    def edit(self, kind: Kind, place: Place, change: Callable[[Object], None]) -> Object | None:
        """Change a copy of an object and keep it if it differs; None when it is gone."""
        ...

    def delete(self, kind: Kind, live: Object, grace_s: int | None) -> None:
        """Delete an object, or mark it while something holds it."""
        ...

    def remove(self, kind: Kind, place: Place) -> None:
        """Take an object away at once, as a kubelet does with mirror pods."""
        ...


class DirectWriter:
    """Writes into the lab's own store."""

    def __init__(
        self,
        store: Store,
        writer: Writer,
        now: Callable[[], str],
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._writer = writer
        self._now = now
        self._check = check  # raises when nothing can be written

    def plant(self, kind: Kind, obj: Object) -> Object | None:
        """Create an object, its status included."""
        self._check()
        status = obj.get("status")
        self._writer.stamp(kind, obj)
        fill_in(kind.resource, obj)
        fill_in_new(kind.resource, obj, ADMIN, self._now())
        if status is not None:
            obj["status"] = status
        return self._store.put(kind.resource, obj)

    def edit(self, kind: Kind, place: Place, change: Callable[[Object], None]) -> Object | None:
        """Change a copy of an object and store it if it differs; None when it is gone."""
        live = self._store.get(place.resource, place.namespace, place.name)
        if live is None:
            return None
        changed = clone_map(live)
        change(changed)
        if changed == live:
            return live
        self._check()
        before, after = live.get("spec"), changed.get("spec")
        if before != after and "generation" in at(changed, "metadata"):
            metadata = grow(changed, "metadata")
            generation = metadata["generation"]
            metadata["generation"] = generation + 1 if isinstance(generation, int) else 1
        return self._writer.write(kind, changed, live)

    def delete(self, kind: Kind, live: Object, grace_s: int | None) -> None:
        """Delete an object, or mark it while something holds it."""
        self._check()
        self._writer.delete(kind, live, "", grace_s)

    def remove(self, kind: Kind, place: Place) -> None:
        """Take an object away at once."""
        self._check()
        self._store.remove(kind.resource, place.namespace, place.name)

"""The lab's API in front of a real API server: reads from the mirror, writes through."""

from __future__ import annotations

from collections.abc import Callable

from lab.kubernetes.api import Api
from lab.kubernetes.registry import Registry, Served
from lab.kubernetes.store import Place
from lab.kubernetes.users import ADMIN, User
from lab.kubernetes.values import Object, clone_map, grow, name_of, namespace_of, text
from lab.kubernetes.writing import Writer
from lab.real.channel import Channel
from lab.real.mirror import MirrorStore
from lab.real.remote import Remote
from lab.real.writing import RemoteWriter

__all__ = ["RealApi"]


class RealApi(Api):
    """What in-process clients ask; the rules are the real server's own, webhooks and all."""

    store: MirrorStore

    def __init__(self, now: Callable[[], str], channel: Channel) -> None:
        self._channel = channel
        super().__init__(now)
        self.reset()

    def reset(self) -> None:
        """Begin with an empty mirror; every watch ends."""
        self.interrupt()
        self.store = MirrorStore()
        self.registry = Registry()
        self.writer = Writer(self.store, self.now)  # names what has a generated name only
        self.remote = Remote(self._channel, self.store)
        self.components = RemoteWriter(self.remote, self.store, self._check_components)

    def create(
        self, obj: Object, *, manager: str = "", user: User = ADMIN, dry_run: bool = False
    ) -> Object:
        """Create an object; see `Api`."""
        served, obj = self._receive(obj)
        query = _write_query(manager, dry_run=dry_run)
        return clone_map(self.remote.create(served.kind, obj, query=query, user=user))

    def apply(
        self,
        obj: Object,
        *,
        manager: str,
        force: bool = False,
        subresource: str = "",
        user: User = ADMIN,
        dry_run: bool = False,
    ) -> Object:
        """Apply an object server-side; see `Api`."""
        del user  # nobody but administrators applies in process
        served, obj = self._receive(obj)
        query = _write_query(manager, dry_run=dry_run) | {"force": str(force).lower()}
        return clone_map(self.remote.apply(served.kind, obj, subresource, query))

    def update(
        self, obj: Object, *, subresource: str = "", manager: str = "", dry_run: bool = False
    ) -> Object:
        """Replace an object, or what its subresource covers; see `Api`."""
        served, obj = self._receive(obj)
        live = self.find_live(served, name_of(obj), namespace_of(obj))
        # Custom resources are replaced with a version only.
        grow(obj, "metadata").setdefault(
            "resourceVersion", text(live, "metadata", "resourceVersion")
        )
        query = _write_query(manager, dry_run=dry_run)
        return clone_map(self.remote.replace(served.kind, obj, subresource, query))

    def merge(
        self,
        served: Served,
        name: str,
        namespace: str,
        body: Object,
        *,
        subresource: str = "",
        manager: str = "",
        dry_run: bool = False,
    ) -> Object:
        """Merge `body` into an object; see `Api`."""
        kind = served.kind
        place = Place(kind.resource, namespace if kind.namespaced else "", name)
        query = _write_query(manager, dry_run=dry_run)
        return clone_map(self.remote.merge(kind, place, body, subresource, query))

    def delete(
        self,
        served: Served,
        name: str,
        namespace: str,
        *,
        propagation: str = "",
        grace_s: int | None = None,
        dry_run: bool = False,
    ) -> Object:
        """Delete an object; see `Api`."""
        live = self.find_live(served, name, namespace)
        options: Object = {"propagationPolicy": propagation or "Background"}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        if dry_run:
            options["dryRun"] = ["All"]
        return clone_map(self.remote.delete(served.kind, live, options))

    def _receive(self, obj: Object) -> tuple[Served, Object]:
        served, placed = super()._receive(obj)
        placed["apiVersion"] = served.api_version
        return served, placed


def _write_query(manager: str, *, dry_run: bool) -> dict[str, str]:
    query = {"fieldManager": manager} if manager else {}
    return query | {"dryRun": "All"} if dry_run else query

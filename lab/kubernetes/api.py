"""What an API server does with objects, whoever asks: over HTTP, in process, or a controller.

Synchronous on purpose: nothing here waits, so each call is atomic.
"""

from __future__ import annotations

from collections.abc import Callable

from lab.kubernetes.components import ComponentWriter, DirectWriter
from lab.kubernetes.errors import (
    AlreadyExistsError,
    BadRequestError,
    NotFoundError,
)
from lab.kubernetes.lists import list_rule
from lab.kubernetes.merging import Owner, apply_fields, note_update
from lab.kubernetes.patching import patch_merge
from lab.kubernetes.preconditions import check_identity, check_same
from lab.kubernetes.reading import ApiReader
from lab.kubernetes.registry import Registry, Served
from lab.kubernetes.rules import check_rules
from lab.kubernetes.store import Store
from lab.kubernetes.users import ADMIN, User
from lab.kubernetes.values import Object, clone_map, name_of, namespace_of, text
from lab.kubernetes.writing import Writer

__all__ = ["Admission", "Api"]

# Called before an object is stored: served kind, operation, object. Raises to refuse.
Admission = Callable[[Served, str, Object], None]


class Api(ApiReader):
    """Reads and writes objects under the rules of Kubernetes."""

    def __init__(self, now: Callable[[], str]) -> None:
        super().__init__()
        self.now = now
        self.admission: list[Admission] = []
        self.writer = Writer(self.store, now)
        self.check_components: Callable[[], None] = lambda: None  # raises: they cannot write now
        self.components: ComponentWriter = self._make_components()

    def reset(self) -> None:
        """Begin with empty data; every watch ends."""
        self.interrupt()
        self.store = Store()
        self.registry = Registry()
        self.writer = Writer(self.store, self.now)
        self.components = self._make_components()

    def _make_components(self) -> DirectWriter:
        return DirectWriter(self.store, self.writer, self.now, self._check_components)

    def _check_components(self) -> None:
        self.check_components()

    def create(
        self, obj: Object, *, manager: str = "", user: User = ADMIN, dry_run: bool = False
    ) -> Object:
        """Create an object.

        Raises:
            AlreadyExistsError: an object of that name exists.
            NotFoundError: the namespace or the kind does not exist.
        """
        served, obj = self._receive(obj)
        kind = served.kind
        obj = self.writer.prepare(kind, obj, user)
        if self.store.get(kind.resource, namespace_of(obj), name_of(obj)) is not None:
            raise AlreadyExistsError.of(kind.plural, kind.group, name_of(obj))
        if manager:
            note_update({}, obj, Owner(manager, "Update"), list_rule(kind), self.now())
        check_rules(kind, obj, None)
        self._admit(served, "CREATE", obj)
        return self._finish(served, obj, None, dry_run=dry_run)

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
        """Apply an object server-side.

        Raises:
            ConflictError: fields belong to another manager and `force` is off.
            NotFoundError: the namespace or the kind does not exist.
        """
        served, obj = self._receive(obj)
        kind = served.kind
        live = self.store.get(kind.resource, namespace_of(obj), name_of(obj))
        if live is not None:
            check_identity(kind, obj, live)
        elif subresource:
            raise NotFoundError.of(kind.plural, kind.group, name_of(obj))
        check_same(kind, obj, live)
        owner = Owner(manager, "Apply", subresource)
        wanted = self.writer.narrow(kind, obj, subresource)
        base = live if live is not None else _skeleton(obj)
        merged = apply_fields(base, wanted, owner, list_rule(kind), force=force, now=self.now())
        if live is None:
            merged = self.writer.prepare(kind, merged, user)
        else:
            merged = self.writer.revise(kind, live, merged, subresource)
        check_rules(kind, merged, live, subresource)
        self._admit(served, "CREATE" if live is None else "UPDATE", merged)
        return self._finish(served, merged, live, dry_run=dry_run)

    def update(
        self,
        obj: Object,
        *,
        subresource: str = "",
        manager: str = "",
        dry_run: bool = False,
    ) -> Object:
        """Replace an object, or what its subresource covers.

        Raises:
            ConflictError: resourceVersion is given and not the newest.
            NotFoundError: there is no such object.
        """
        served, obj = self._receive(obj)
        kind = served.kind
        live = self.find_live(served, name_of(obj), namespace_of(obj))
        check_same(kind, obj, live)
        revised = self.writer.revise(kind, live, obj, subresource)
        if manager:
            owner = Owner(manager, "Update", subresource)
            note_update(live, revised, owner, list_rule(kind), self.now())
        check_rules(kind, revised, live, subresource)
        if not subresource:
            self._admit(served, "UPDATE", revised)
        return self._finish(served, revised, live, dry_run=dry_run)

    def modify(
        self,
        served: Served,
        name: str,
        namespace: str,
        change: Callable[[Object], Object],
        *,
        subresource: str = "",
        manager: str = "",
        dry_run: bool = False,
    ) -> Object:
        """Read, change a copy with `change`, write: how every kind of patch is done."""
        changed = change(self.get(served, name, namespace))
        if (name_of(changed), namespace_of(changed)) != (name, namespace):
            raise BadRequestError(
                f"the name of the object ({name_of(changed)}) does not match the name on the URL "
                f"({name})"
            )
        check_identity(served.kind, changed, self.find_live(served, name, namespace))
        return self.update(changed, subresource=subresource, manager=manager, dry_run=dry_run)

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
        """Merge `body` into an object (JSON merge patch)."""
        return self.modify(
            served,
            name,
            namespace,
            lambda obj: patch_merge(obj, body),
            subresource=subresource,
            manager=manager,
            dry_run=dry_run,
        )

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
        """Delete an object, or mark it while something must be done before; returns its last.

        Raises:
            NotFoundError: there is no such object.
        """
        live = self.find_live(served, name, namespace)
        if not dry_run:
            live = self.writer.delete(served.kind, live, propagation, grace_s)
        return served.show(clone_map(live))

    def _receive(self, obj: Object) -> tuple[Served, Object]:
        served = self.kind(text(obj, "apiVersion"), text(obj, "kind"))
        obj = clone_map(obj)
        obj["apiVersion"] = served.kind.api_version()
        return served, self.writer.place(served.kind, obj)

    def _admit(self, served: Served, operation: str, obj: Object) -> None:
        for admission in self.admission:
            admission(served, operation, obj)

    def _finish(self, served: Served, obj: Object, live: Object | None, *, dry_run: bool) -> Object:
        stored = obj if dry_run else self.writer.write(served.kind, obj, live)
        return served.show(clone_map(stored))


def _skeleton(obj: Object) -> Object:
    metadata: Object = {"name": name_of(obj)}
    if namespace_of(obj):
        metadata["namespace"] = namespace_of(obj)
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": metadata}

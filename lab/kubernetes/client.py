"""The in-process client: the same semantics as HTTP, without the wire.

`lab.flux` and the lab's own tools use it. Objects that come out are copies: change them freely.
Every method raises `lab.kubernetes.errors.ApiError` (see the tree there) for what an API server
would refuse, and `UnavailableError` while no control plane's API server is listening.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from lab.kubernetes.api import Api
from lab.kubernetes.errors import NotFoundError
from lab.kubernetes.users import ADMIN, User
from lab.kubernetes.values import Object, clone_map

__all__ = ["KubernetesClient", "WatchEvent"]


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One change: `type` is ADDED, MODIFIED or DELETED (bookmarks are kept back)."""

    type: str
    object: Object


class KubernetesClient:
    """Reads and writes objects as one named user of the cluster.

    `api_version` and `kind` are as in manifests (`apps/v1`, `Deployment`). A kind that is not
    served, for example because its CRD is not Established, is `NotFoundError`, too; ask
    `serves` to tell the two apart.
    """

    def __init__(self, api: Api, *, user: User = ADMIN) -> None:
        self._api = api
        self._user = user

    @property
    def _open(self) -> Api:
        self._api.check_available()
        return self._api

    async def serves(self, api_version: str, kind: str) -> bool:
        """Tell whether the kind exists right now (discovery)."""
        return self._open.serves(api_version, kind)

    async def get(self, api_version: str, kind: str, name: str, namespace: str = "") -> Object:
        """Read one object.

        Raises:
            NotFoundError: the object, or its kind, does not exist.
        """
        await self._before_reading(api_version)
        return self._open.get(self._open.kind(api_version, kind), name, namespace)

    async def find(
        self, api_version: str, kind: str, name: str, namespace: str = ""
    ) -> Object | None:
        """Read one object; None when it, or its kind, does not exist."""
        try:
            return await self.get(api_version, kind, name, namespace)
        except NotFoundError:
            return None

    def find_cause(self, api_version: str, kind: str, name: str, namespace: str = "") -> int:
        """Return the wait that an object's last change followed from (`lab.ledger`); 0: none."""
        served = self._api.registry.find(api_version, kind)
        if served is None:
            return 0
        space = namespace if served.kind.namespaced else ""
        return self._api.store.cause_of(served.kind.resource, space, name)

    async def list(
        self,
        api_version: str,
        kind: str,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
    ) -> list[Object]:
        """Read all objects of a kind, of all namespaces when `namespace` is empty.

        `labels` and `fields` are selectors in kubectl's syntax (`app=x,tier!=y`).
        """
        shown = await self.peek(api_version, kind, namespace, labels=labels, fields=fields)
        return [clone_map(obj) for obj in shown]

    async def peek(
        self,
        api_version: str,
        kind: str,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
    ) -> Sequence[Object]:
        """Read all objects as `list`, without copying them: what comes out is never changed."""
        await self._before_reading(api_version)
        found = self._open.kind(api_version, kind)
        return self._open.list(found, namespace, labels=labels, fields=fields)[0]

    async def peek_one(
        self, api_version: str, kind: str, name: str, namespace: str = ""
    ) -> Object | None:
        """Read one object as `find`, without copying it."""
        api = self._open
        served = api.registry.find(api_version, kind)
        if served is None:
            return None
        space = namespace if served.kind.namespaced else ""
        live = api.store.get(served.kind.resource, space, name)
        return served.show(live) if live is not None else None

    async def create(self, obj: Object, *, manager: str = "lab", dry_run: bool = False) -> Object:
        """Create an object; its namespace is `metadata.namespace`.

        Raises:
            AlreadyExistsError: an object of that name exists.
            NotFoundError: the namespace or the kind does not exist.
        """
        await self._before_creating()
        return self._open.create(obj, manager=manager, user=self._user, dry_run=dry_run)

    async def apply(
        self, obj: Object, *, manager: str, force: bool = False, dry_run: bool = False
    ) -> Object:
        """Apply an object server-side (create or merge), as `manager`.

        An apply that changes nothing keeps the resourceVersion.

        Raises:
            ConflictError: fields belong to another manager and `force` is off.
            NotFoundError: the namespace or the kind does not exist.
        """
        await self._before_changing()
        return self._open.apply(obj, manager=manager, force=force, dry_run=dry_run)

    async def patch(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str = "",
        *,
        body: Object,
        subresource: str = "",
        manager: str = "lab",
        dry_run: bool = False,
    ) -> Object:
        """Merge `body` into the object (JSON merge patch: null removes)."""
        await self._before_changing()
        found = self._open.kind(api_version, kind)
        return self._open.merge(
            found,
            name,
            namespace,
            body,
            subresource=subresource,
            manager=manager,
            dry_run=dry_run,
        )

    async def update(self, obj: Object, *, manager: str = "lab", dry_run: bool = False) -> Object:
        """Replace an object; its status is kept where the kind has the status subresource.

        Raises:
            ConflictError: `metadata.resourceVersion` is given and not the newest.
        """
        await self._before_changing()
        return self._open.update(obj, manager=manager, dry_run=dry_run)

    async def update_status(self, obj: Object, *, manager: str = "lab") -> Object:
        """Replace the status of an object and nothing else."""
        await self._before_changing()
        return self._open.update(obj, subresource="status", manager=manager)

    async def delete(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str = "",
        *,
        propagation: str = "Background",
        dry_run: bool = False,
    ) -> None:
        """Delete an object; with finalizers it stays, marked, until they are gone.

        `propagation` is Background (dependents are collected) or Orphan.

        Raises:
            NotFoundError: there is no such object.
        """
        await self._before_changing()
        found = self._open.kind(api_version, kind)
        self._open.delete(found, name, namespace, propagation=propagation, dry_run=dry_run)

    async def watch(
        self,
        api_version: str,
        kind: str,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        since: str = "",
        copies: bool = True,
    ) -> AsyncIterator[WatchEvent]:
        """Follow changes: everything there is as ADDED first, unless `since` a resourceVersion.

        Without `copies`, objects come out as they are stored: to be read, never changed.

        Raises:
            GoneError: `since` is too old, or the reader was too slow: list or watch anew.
            NotFoundError: the kind is not served.
            UnavailableError: the last API server stopped, or the cluster was created anew.
        """
        found = self._open.kind(api_version, kind)
        with self._open.watch(found, namespace, labels=labels, fields=fields, since=since) as seen:
            async for event_type, obj in seen:
                if event_type != "BOOKMARK":
                    await self._before_hearing()
                    yield WatchEvent(event_type, clone_map(obj) if copies else obj)

    # What a request waits for before it is answered, or is refused: here for nothing.

    async def _before_reading(self, api_version: str) -> None:
        pass

    async def _before_creating(self) -> None:
        pass

    async def _before_changing(self) -> None:
        pass

    async def _before_hearing(self) -> None:
        pass

"""Reading all objects of a kind: listed, watched, and both as one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from lifecycle.drivers.documents import as_object, list_at, text_at
from lifecycle.drivers.kubernetes.discovery import ApiResource, Discovery
from lifecycle.drivers.kubernetes.objects import Change, KubernetesObject, ObjectList, Selection
from lifecycle.drivers.kubernetes.transport import Transport, error_from_status
from lifecycle.errors import ApiError

__all__ = ["SelectionReader"]

_PAGE_SIZE = 500  # kubectl's
_GONE = 410
_WATCH_SECONDS = "300"  # the server ends it then and the watch goes on from where it was


class SelectionReader:
    """Reads selections from one server."""

    def __init__(self, transport: Transport, discovery: Discovery) -> None:
        self._transport = transport
        self._discovery = discovery

    async def list(self, selection: Selection) -> ObjectList:
        """Return all selected objects, page by page; raises NotFoundError for an unknown kind."""
        resource = await self._discovery.find(selection.api_version, selection.kind)
        path = resource.path(namespace=selection.namespace)
        params = {"limit": str(_PAGE_SIZE), **_selectors(selection)}
        items: list[KubernetesObject] = []
        while True:
            try:
                page = await self._transport.request("GET", path, params=params)
            except ApiError as error:
                # Its pages are of one state, which was forgotten meanwhile: all at once, as
                # client-go does.
                if error.status != _GONE or "continue" not in params or "limit" not in params:
                    raise
                params, items = _selectors(selection), []
                continue
            items += [_typed(item, resource) for item in list_at(page, "items")]
            follow = text_at(page, "metadata", "continue")
            if not follow:
                return ObjectList(tuple(items), text_at(page, "metadata", "resourceVersion"))
            params = {**params, "continue": follow}

    async def watch(
        self, selection: Selection, resource_version: str
    ) -> AsyncGenerator[Change, None]:
        """Yield the changes since a list, bookmarks too, until the server ends the watch.

        Raises:
            ApiError: Status 410: that version is too old, list again.
        """
        resource = await self._discovery.find(selection.api_version, selection.kind)
        params = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": _WATCH_SECONDS,
            **_selectors(selection),
        }
        path = resource.path(namespace=selection.namespace)
        async with aclosing(self._transport.stream(path, params)) as events:
            async for event in events:
                if text_at(event, "type") == "ERROR":
                    raise error_from_status(as_object(event.get("object")))
                yield Change(text_at(event, "type"), _typed(event.get("object"), resource))

    async def observe(self, selection: Selection) -> AsyncGenerator[ObjectList, None]:
        """Yield all selected objects now and after every change, for ever.

        A version that became too old is listed again. Raises UnavailableError when the server
        goes away: whether to wait for it is the caller's decision.
        """
        while True:
            current = await self.list(selection)
            yield current
            try:
                async with aclosing(self._following(selection, current)) as states:
                    async for state in states:
                        yield state
            except ApiError as error:
                if error.status != _GONE:
                    raise

    async def _following(
        self, selection: Selection, state: ObjectList
    ) -> AsyncGenerator[ObjectList, None]:
        """Yield the state after every change, one watch after the other; raises when too old."""
        held = {item.ref: item for item in state.items}
        version = state.resource_version
        while True:
            async with aclosing(self.watch(selection, version)) as changes:
                async for change in changes:
                    version = change.object.resource_version
                    if change.kind == "BOOKMARK":
                        continue
                    held.pop(change.object.ref, None)
                    if change.kind != "DELETED":
                        held[change.object.ref] = change.object
                    yield ObjectList(tuple(held.values()), version)


def _typed(item: object, resource: ApiResource) -> KubernetesObject:
    """Add what a list leaves out of its items: apiVersion and kind."""
    document = as_object(item) if isinstance(item, Mapping) else {}
    return KubernetesObject({"apiVersion": resource.api_version, "kind": resource.kind, **document})


def _selectors(selection: Selection) -> dict[str, str]:
    given = {"labelSelector": selection.labels, "fieldSelector": selection.fields}
    return {name: value for name, value in given.items() if value}

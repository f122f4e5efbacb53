"""Watches: changes of one resource, filtered, in order, for one reader."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType

from lab.kubernetes.errors import ApiError, GoneError
from lab.kubernetes.store import Change, Store
from lab.kubernetes.values import Object, name_of, namespace_of
from lab.ledger import CAUSE

__all__ = ["Watch"]

# A reader this far behind would cost more memory than it is worth: it is told to list again,
# as a real API server does with a slow watcher.
MOST_UNREAD = 20_000
# Wall seconds; a real API server sends a bookmark about once a minute to a quiet watch.
BOOKMARK_EVERY_S = 60.0


class Watch:
    """One reader's view of the changes; use as a context manager and iterate inside.

    Objects are the store's own: they are read, never changed.

    Yields (type, object) with type ADDED, MODIFIED, DELETED or BOOKMARK. An object that begins
    or ceases to match the selectors is ADDED or DELETED for this reader. What the reader does with
    an object follows from what caused its change.
    """

    def __init__(
        self,
        store: Store,
        resource: str,
        namespace: str,
        *,
        accepts: Callable[[Object], bool],
        show: Callable[[Object], Object],
    ) -> None:
        self._store = store
        self._resource = resource
        self._namespace = namespace
        self._accepts = accepts
        self._show = show
        self._unread: deque[tuple[str, Object, int]] = deque()
        self._wake = asyncio.Event()
        self._since = 0
        self._stop: Callable[[], None] | None = None
        self._failure: ApiError | None = None
        self.make_bookmark: Callable[[], Object] | None = None

    def begin(self, since: str) -> None:
        """Start: with all there is when `since` is empty or 0, else with what came after it.

        As with a real API server, a version that is too old ends the watch with an error, and
        one that is yet to come is waited for in silence: so it is after a restore.
        """
        if since in {"", "0"}:
            for obj in self._store.all(self._resource, self._namespace):
                if self._accepts(obj):
                    place = (self._resource, namespace_of(obj), name_of(obj))
                    self._push("ADDED", obj, self._store.cause_of(*place))
        else:
            self._since = int(since)
            try:
                missed = self._store.changes_since(self._since)
            except GoneError as error:
                self._failure, missed = error, []
            for change in missed:
                self._see(change)
        self._stop = self._store.listen(self._see)

    def bookmark(self, obj: Object) -> None:
        """Put a bookmark where the reader will find it after everything so far."""
        self._unread.append(("BOOKMARK", obj, 0))
        self._wake.set()

    def fail(self, error: ApiError) -> None:
        """End the watch with an error: its API server stopped."""
        self._failure = error
        self._wake.set()

    def close(self) -> None:
        """Stop listening."""
        if self._stop is not None:
            self._stop()
            self._stop = None

    def __enter__(self) -> AsyncIterator[tuple[str, Object]]:
        return self._iterate()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def _iterate(self) -> AsyncIterator[tuple[str, Object]]:
        while True:
            while self._unread:
                event, obj, cause = self._unread.popleft()
                CAUSE.set(cause)
                yield event, obj
            if self._failure is not None:
                raise self._failure
            self._wake.clear()
            if self.make_bookmark is None:
                await self._wake.wait()
                continue
            try:
                async with asyncio.timeout(BOOKMARK_EVERY_S):
                    await self._wake.wait()
            except TimeoutError:
                yield "BOOKMARK", self.make_bookmark()

    def _see(self, change: Change) -> None:
        if change.resource != self._resource or change.version <= self._since:
            return
        if self._namespace and namespace_of(change.object) != self._namespace:
            return
        matched = change.before is not None and self._accepts(change.before)
        matches = change.type != "DELETED" and self._accepts(change.object)
        if matches:
            self._push("MODIFIED" if matched else "ADDED", change.object, change.cause)
        elif matched:
            self._push("DELETED", change.object, change.cause)

    def _push(self, event: str, obj: Object, cause: int) -> None:
        if len(self._unread) >= MOST_UNREAD:
            self._failure = GoneError("the watch is too slow: list again")
            return
        self._unread.append((event, self._show(obj), cause))
        self._wake.set()

"""What the cluster's API holds, kept up to date by watches: one list a kind and run, no polling.

A mirror is as good as a list. It follows the API's own watch, it is never older than what this
run wrote itself, and what was not heard of for a while is listed anew, since a connection that
died silently looks like a cluster in which nothing happens.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from lifecycle.drivers.kubernetes import Kubernetes, KubernetesObject, Selection
from lifecycle.errors import ApiError, NotFoundError

__all__ = ["Mirror"]

# Wall seconds without a word after which a watch is not believed any more.
_SILENCE_S = 30.0
# Wall seconds in which a watch brings what this run just wrote; later than that, it is begun anew.
_LAG_S = 2.0

Kind = tuple[str, str]  # apiVersion and kind


@dataclass(slots=True)
class Mirror:
    """Follows each kind from the first time that somebody asks for it; `close` at the end.

    `api` returns a client of a control plane that answers, as `ClusterAccess.api`.
    """

    api: Callable[[], Awaitable[Kubernetes]]
    _followed: dict[Kind, _Followed] = field(default_factory=dict)
    _locks: defaultdict[Kind, asyncio.Lock] = field(
        default_factory=lambda: defaultdict(asyncio.Lock)
    )
    _looks: dict[str, int] = field(default_factory=dict)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _changes: int = 0

    async def list(self, api_version: str, kind: str) -> tuple[KubernetesObject, ...]:
        """Return all objects of a kind; none when it is not served.

        Raises:
            ApiError: The API does not answer, or refuses.
        """
        client = await self.api()
        async with self._locks[api_version, kind]:
            followed = self._followed.get((api_version, kind))
            if followed is None or not followed.is_good(client):
                followed = await self._follow(client, api_version, kind)
            try:
                async with asyncio.timeout(_LAG_S):
                    while followed.version < client.written(api_version, kind):
                        await self._next()
            except TimeoutError:
                followed = await self._follow(client, api_version, kind)
            return followed.items

    def note_look(self, name: str) -> None:
        """Note that `name` begins to look now; what comes later is news to it."""
        self._looks[name] = self._changes

    async def wait_for_news(self, name: str) -> None:
        """Return once something changed after `name` began its last look."""
        while self._changes == self._looks.get(name, self._changes):
            await self._next()

    async def close(self) -> None:
        """End every watch."""
        tasks = [followed.task for followed in self._followed.values() if followed.task]
        self._followed.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, client: Kubernetes, api_version: str, kind: str) -> _Followed:
        """List a kind, and begin to watch it from there."""
        before = self._followed.pop((api_version, kind), None)
        if before is not None and before.task is not None:
            before.task.cancel()
        selection = Selection(api_version, kind)
        followed = _Followed(client)
        try:
            listed = await client.list(selection)
        except NotFoundError:
            return followed
        followed.take(listed.items, listed.resource_version)
        self._followed[api_version, kind] = followed
        followed.task = asyncio.create_task(self._watch(followed, selection))
        return followed

    async def _watch(self, followed: _Followed, selection: Selection) -> None:
        """Follow one kind until its watch ends; the next look lists it anew."""
        held = {item.ref: item for item in followed.items}
        try:
            changes = followed.client.watch(selection, followed.resource_version)
            async with aclosing(changes) as stream:
                async for change in stream:
                    if change.kind != "BOOKMARK":
                        held.pop(change.object.ref, None)
                    if change.kind in {"ADDED", "MODIFIED"}:
                        held[change.object.ref] = change.object
                    followed.take(tuple(held.values()), change.object.resource_version)
                    await self._tell()
        except ApiError:
            pass  # too old, or nobody answers any more
        finally:
            followed.is_live = False
        await self._tell()

    async def _next(self) -> None:
        async with self._news:
            await self._news.wait()

    async def _tell(self) -> None:
        self._changes += 1
        async with self._news:
            self._news.notify_all()


@dataclass(slots=True)
class _Followed:
    """One kind: its objects, the version that they are of, and when that was."""

    client: Kubernetes
    items: tuple[KubernetesObject, ...] = ()
    resource_version: str = ""
    version: int = 0
    heard_s: float = 0.0
    is_live: bool = True
    task: asyncio.Task[None] | None = None

    def take(self, items: tuple[KubernetesObject, ...], resource_version: str) -> None:
        self.items = items
        self.resource_version = resource_version
        # Versions are comparable numbers: KEP-5504, and true of every etcd so far.
        self.version = int(resource_version) if resource_version.isdigit() else self.version
        self.heard_s = asyncio.get_running_loop().time()

    def is_good(self, client: Kubernetes) -> bool:
        silent_s = asyncio.get_running_loop().time() - self.heard_s
        return self.is_live and self.client is client and silent_s < _SILENCE_S

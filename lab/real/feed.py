"""Keeps the mirror as the real API server is: a list and a watch for each kind that is served."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

import aiohttp

from lab.kubernetes.kinds import Kind
from lab.kubernetes.values import Object, at, maps, text
from lab.real.channel import Channel
from lab.real.mirror import MirrorStore, version_of
from lab.real.remote import find_path

if TYPE_CHECKING:
    from lab.kubernetes.values import Json

__all__ = ["Feed"]

# Wall seconds between two attempts to list a kind: a new one is served a moment after its CRD is
# Established, and an API server may be away.
_AGAIN_S = 0.2
# A line is an event with its whole object; etcd takes 1.5 MiB, JSON is longer than protobuf.
_LONGEST_LINE = 16 * 1024 * 1024
_SYNC_TIMEOUT_S = 60.0


class Feed:
    """Follows kinds, from `follow` to `forget` or `close`."""

    def __init__(self, channel: Channel, store: MirrorStore) -> None:
        self._channel = channel
        self._store = store
        self._session: aiohttp.ClientSession | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._listed: dict[str, asyncio.Event] = {}

    def follow(self, kinds: Iterable[Kind]) -> None:
        """Begin to follow kinds that nobody follows yet."""
        for kind in kinds:
            if kind.resource not in self._tasks:
                self._listed[kind.resource] = asyncio.Event()
                self._tasks[kind.resource] = asyncio.create_task(
                    self._run(kind), name=f"lab mirror: {kind.resource}"
                )

    def forget(self, resource: str) -> None:
        """Follow a kind no more; nobody waits for its list any longer."""
        task = self._tasks.pop(resource, None)
        if task is not None:
            task.cancel()
        listed = self._listed.pop(resource, None)
        if listed is not None:
            listed.set()

    async def sync(self) -> None:
        """Wait until everything that is followed has been listed.

        Raises:
            TimeoutError: the API server does not answer.
        """
        async with asyncio.timeout(_SYNC_TIMEOUT_S):
            for listed in list(self._listed.values()):
                await listed.wait()

    async def close(self) -> None:
        """End every watch."""
        tasks, self._tasks = list(self._tasks.values()), {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _run(self, kind: Kind) -> None:
        while True:
            await self._channel.opened.wait()
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                version = await self._list(kind)
                while version:
                    version = await self._watch(kind, version)
            await asyncio.sleep(_AGAIN_S)

    async def _list(self, kind: Kind) -> str:
        """Take over all objects; returns the version to watch from, "" when it is not served."""
        async with self._get_session().get(self._url(kind)) as answer:
            if answer.status != HTTPStatus.OK:
                return ""
            listed = json.loads(await answer.read())
        # Items of a typed list do not say what they are.
        named: Object = {"apiVersion": kind.api_version(), "kind": kind.kind}
        version = text(listed, "metadata", "resourceVersion")
        items = [{**item, **named} for item in maps(listed, "items")]
        self._store.settle(kind.resource, items, int(version))
        self._listed[kind.resource].set()
        return version

    async def _watch(self, kind: Kind, version: str) -> str:
        """Follow changes until the server ends it; returns how far, "" to list anew."""
        query = f"?watch=1&allowWatchBookmarks=true&resourceVersion={version}"
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._get_session().get(self._url(kind) + query, timeout=timeout) as answer:
            if answer.status != HTTPStatus.OK:
                return ""
            async for line in answer.content:
                event = cast("Json", json.loads(line))
                found = self._see(kind, text(event, "type"), at(event, "object"))
                if not found:
                    return ""
                version = found
        return version

    def _see(self, kind: Kind, event: str, obj: Object) -> str:
        match event:
            case "ADDED" | "MODIFIED":
                self._store.accept(kind.resource, obj)
            case "DELETED":
                self._store.vanish(kind.resource, obj)
            case "BOOKMARK":
                pass
            case _:
                return ""
        return str(version_of(obj))

    def _url(self, kind: Kind) -> str:
        return f"https://{self._channel.host}:{self._channel.port}{find_path(kind, '')}"

    def _get_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            context = self._channel.context
            assert context is not None  # noqa: S101 # there is one once an API server is added
            connector = aiohttp.TCPConnector(ssl=context, limit=0)
            self._session = aiohttp.ClientSession(connector=connector, read_bufsize=_LONGEST_LINE)
        return self._session

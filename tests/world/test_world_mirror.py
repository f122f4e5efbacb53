"""The mirror: what a list would say, without asking again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from lifecycle.drivers.kubernetes import Change, Kubernetes, KubernetesObject, ObjectList, Selection
from lifecycle.errors import NotFoundError, UnavailableError
from lifecycle.world.mirror import Mirror

PODS = ("v1", "Pod")


def pod(name: str, version: int) -> KubernetesObject:
    """A pod as an API returns it."""
    metadata = {"name": name, "namespace": "a", "resourceVersion": str(version)}
    return KubernetesObject({"apiVersion": "v1", "kind": "Pod", "metadata": metadata})


@dataclass
class FakeApi:
    """An API server that serves pods, and counts how often it is listed."""

    pods: dict[str, KubernetesObject] = field(default_factory=dict)
    version: int = 1
    lists: int = 0
    newest_write: int = 0
    serves_pods: bool = True
    events: asyncio.Queue[Change | None] = field(default_factory=asyncio.Queue)

    async def list(self, selection: Selection) -> ObjectList:
        """List; an unserved kind is refused."""
        if not self.serves_pods:
            raise NotFoundError(f"no {selection.kind}")
        self.lists += 1
        return ObjectList(tuple(self.pods.values()), str(self.version))

    async def watch(self, _selection: Selection, _version: str) -> AsyncGenerator[Change, None]:
        """Yield what `change` puts; end with an error after `cut`."""
        while change := await self.events.get():
            yield change
        raise UnavailableError("cut")

    def written(self, _api_version: str, _kind: str) -> int:
        """The newest version of the run's own writes."""
        return self.newest_write

    def change(self, name: str, kind: str = "ADDED") -> None:
        """Change a pod."""
        self.version += 1
        item = pod(name, self.version)
        if kind == "DELETED":
            self.pods.pop(name)
        else:
            self.pods[name] = item
        self.events.put_nowait(Change(kind, item))

    def cut(self) -> None:
        """Cut the watch."""
        self.events.put_nowait(None)


@asynccontextmanager
async def mirror_of(api: FakeApi) -> AsyncIterator[Mirror]:
    """A mirror of that API."""

    async def find() -> Kubernetes:
        return cast("Kubernetes", api)

    mirror = Mirror(find)
    try:
        yield mirror
    finally:
        await mirror.close()


async def names(mirror: Mirror) -> list[str]:
    """Names of the mirrored pods."""
    return [item.name for item in await mirror.list(*PODS)]


async def test_mirror_lists_a_kind_once() -> None:
    """However often a gate looks, the API is asked once."""
    api = FakeApi({"p": pod("p", 1)})
    async with mirror_of(api) as mirror:
        looks = [await names(mirror) for _ in range(3)]

    assert ([["p"]] * 3, 1) == (looks, api.lists)


async def test_mirror_follows_changes() -> None:
    """What comes and goes is there and gone at the next look after its news."""
    api = FakeApi({"p": pod("p", 1)})
    async with mirror_of(api) as mirror:
        mirror.note_look("gate")
        await names(mirror)
        api.change("q")
        api.change("p", "DELETED")
        await mirror.wait_for_news("gate")
        await asyncio.sleep(0)
        seen = await names(mirror)

    assert (["q"], 1) == (seen, api.lists)


async def test_mirror_misses_no_news_between_look_and_wait() -> None:
    """A change that comes while a gate still judges ends its next wait at once."""
    api = FakeApi()
    async with mirror_of(api) as mirror:
        await names(mirror)
        mirror.note_look("gate")
        api.change("q")
        while not await names(mirror):  # noqa: ASYNC110 (the watch runs in between)
            await asyncio.sleep(0)
        async with asyncio.timeout(1):
            await mirror.wait_for_news("gate")


async def test_mirror_is_never_older_than_the_runs_own_writes() -> None:
    """A gate that looks right after an act sees what the act wrote, or waits for it."""
    api = FakeApi()
    async with mirror_of(api) as mirror:
        await names(mirror)
        api.newest_write = 2
        look = asyncio.create_task(names(mirror))
        await asyncio.sleep(0)
        assert not look.done()

        api.change("mine")

        assert ["mine"] == await look


async def test_mirror_lists_anew_after_its_watch_ended() -> None:
    """A server that went away and came back has changed in between."""
    api = FakeApi()
    async with mirror_of(api) as mirror:
        mirror.note_look("gate")
        await names(mirror)
        api.cut()
        await mirror.wait_for_news("gate")
        api.pods["new"] = pod("new", 9)
        seen = await names(mirror)

    assert (["new"], 2) == (seen, api.lists)


async def test_mirror_shows_nothing_of_a_kind_that_is_not_served() -> None:
    """A kind whose CRD is not there yet is empty, and asked for again."""
    api = FakeApi({"p": pod("p", 1)}, serves_pods=False)
    async with mirror_of(api) as mirror:
        before = await names(mirror)
        api.serves_pods = True
        after = await names(mirror)

    assert ([], ["p"]) == (before, after)

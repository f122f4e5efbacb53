"""The mirror of a real API server: answers and events in whatever order."""

from __future__ import annotations

import asyncio

import pytest

from lab.kubernetes.kinds import Kind
from lab.kubernetes.store import Change
from lab.kubernetes.values import Object, text
from lab.real.channel import Channel
from lab.real.feed import Feed
from lab.real.mirror import MirrorStore


def settings(version: int, *, uid: str = "u1", value: str = "") -> Object:
    """A ConfigMap `a` as the server had it at a version."""
    metadata: Object = {
        "name": "a",
        "namespace": "n",
        "uid": uid,
        "resourceVersion": str(version),
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"v": value}}


@pytest.fixture
def mirror() -> MirrorStore:
    """A mirror that knows one object at version 10."""
    store = MirrorStore()
    store.accept("configmaps", settings(10, value="ten"))
    return store


def value_in(store: MirrorStore) -> str:
    """What the object says now; "" when there is none."""
    return text(store.get("configmaps", "n", "a"), "data", "v")


def test_older_event_changes_nothing(mirror: MirrorStore) -> None:
    """An event that the answer to a write overtook is passed over."""
    mirror.accept("configmaps", settings(9, value="nine"))

    assert "ten" == value_in(mirror)


def test_newer_event_is_taken(mirror: MirrorStore) -> None:
    """What somebody else wrote is seen, under the server's own version."""
    mirror.accept("configmaps", settings(11, value="eleven"))

    assert ("eleven", 11) == (value_in(mirror), mirror.version)


def test_late_event_revives_nothing(mirror: MirrorStore) -> None:
    """An object that was deleted stays so when a change from before is heard of."""
    mirror.vanish("configmaps", settings(10))
    mirror.accept("configmaps", settings(12, value="late"))

    assert mirror.get("configmaps", "n", "a") is None


def test_late_deletion_spares_the_next_of_that_name(mirror: MirrorStore) -> None:
    """A deletion counts for the object that it is of, not for what has its name by now."""
    mirror.accept("configmaps", settings(20, uid="u2", value="new"))
    mirror.vanish("configmaps", settings(15))

    assert "new" == value_in(mirror)


def test_successor_is_told_as_deletion_and_creation(mirror: MirrorStore) -> None:
    """Controllers hear that the old object went before the new one of its name came."""
    heard: list[Change] = []
    mirror.listen(heard.append)
    mirror.accept("configmaps", settings(20, uid="u2"))

    assert ["DELETED", "ADDED"] == [change.type for change in heard]


def test_list_takes_away_what_it_lacks(mirror: MirrorStore) -> None:
    """After an outage, what the list does not hold is gone, unless it is newer than the list."""
    newer = settings(31, uid="u3")
    newer["metadata"] = {"name": "b", "namespace": "n", "uid": "u3", "resourceVersion": "31"}
    mirror.accept("configmaps", newer)
    mirror.settle("configmaps", [], 30)

    assert ["b"] == [text(obj, "metadata", "name") for obj in mirror.all("configmaps")]


def test_versions_of_the_mirror_only_grow(mirror: MirrorStore) -> None:
    """An event of an older version, out of its order, is still found by who watches on."""
    mirror.accept("secrets", settings(50))
    since = mirror.version
    mirror.accept("services", settings(40))

    assert ["services"] == [change.resource for change in mirror.changes_since(since)]


async def test_kind_that_is_forgotten_is_not_waited_for() -> None:
    """A kind that went before it was ever listed holds nobody up, now or later."""
    feed = Feed(Channel(1), MirrorStore())
    kind = Kind("lab.example", ("v1",), "Thing", "things")
    feed.follow([kind])
    waiting = asyncio.create_task(feed.sync())
    await asyncio.sleep(0)
    feed.forget(kind.resource)

    async with asyncio.timeout(5):
        await waiting
        await feed.sync()
    await feed.close()

"""What the Kubernetes door makes of an API server in trouble."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from lifecycle.drivers.documents import JsonObject
from lifecycle.drivers.kubernetes import (
    Kubernetes,
    KubernetesObject,
    ObjectRef,
    Selection,
)
from lifecycle.errors import ApiError, TooManyRequestsError, UnavailableError
from tests.drivers.api_server import ApiServer

CONFIG_MAPS = Selection("v1", "ConfigMap", namespace="shop")
COLLECTION = "/api/v1/namespaces/shop/configmaps"


def config_map(name: str) -> JsonObject:
    """Build a ConfigMap as a list holds it."""
    return {"metadata": {"name": name, "namespace": "shop", "resourceVersion": "1"}}


async def test_list_whose_pages_were_forgotten_is_read_at_once(
    server: ApiServer, client: Kubernetes
) -> None:
    """A token that is too old begins the list again, without pages, and nothing is there twice."""
    server.objects[COLLECTION] = {
        "metadata": {"resourceVersion": "9", "continue": "page2"},
        "items": [config_map("one")],
    }
    server.objects[f"{COLLECTION}page2"] = {"code": 410, "reason": "Expired", "message": "old"}
    server.objects[f"{COLLECTION}?whole"] = {
        "metadata": {"resourceVersion": "12"},
        "items": [config_map("one"), config_map("two")],
    }

    found = await client.list(CONFIG_MAPS)

    assert ["one", "two"] == [item.name for item in found.items]
    assert "12" == found.resource_version


async def test_list_that_is_always_too_old_is_an_error(
    server: ApiServer, client: Kubernetes
) -> None:
    """Beginning again is tried once."""
    server.objects[COLLECTION] = {"metadata": {"continue": "page2"}, "items": []}
    server.objects[f"{COLLECTION}page2"] = {"code": 410, "reason": "Expired", "message": "old"}

    with pytest.raises(ApiError, match="old"):
        await client.list(CONFIG_MAPS)


async def test_watch_that_is_cut_in_a_line_is_no_bug(server: ApiServer, client: Kubernetes) -> None:
    """Half a line ends the watch as a server that went away does."""
    server.watches[COLLECTION] = [
        [{"type": "ADDED", "object": config_map("one")}, '{"type":"MODIFIED","obj']
    ]
    async with aclosing(client.watch(CONFIG_MAPS, "5")) as changes:
        first = await anext(changes)
        with pytest.raises(UnavailableError, match="watch was cut in the middle"):
            await anext(changes)

    assert "one" == first.object.name


async def test_delay_in_the_details_counts_as_the_header(
    server: ApiServer, client: Kubernetes
) -> None:
    """A proxy may drop the header; the Status has it as well."""
    said: JsonObject = {
        "code": 429,
        "message": "storage is (re)initializing",
        "details": {"retryAfterSeconds": 3},
    }
    server.refusals[COLLECTION] = (429, said)

    with pytest.raises(TooManyRequestsError) as caught:
        await client.list(CONFIG_MAPS)

    assert 3.0 == caught.value.retry_after_s


@pytest.mark.parametrize(("breaks", "is_found"), [(1, True), (2, False)])
async def test_reading_survives_one_broken_connection(
    server: ApiServer, client: Kubernetes, breaks: int, *, is_found: bool
) -> None:
    """What only reads is sent once more; a second break is an error that may be retried."""
    server.objects[f"{COLLECTION}/prices"] = config_map("prices")
    server.breaks[f"{COLLECTION}/prices"] = breaks
    reading = client.find(ObjectRef("v1", "ConfigMap", "prices", "shop"))
    found = (await asyncio.gather(reading, return_exceptions=True))[0]

    assert is_found is isinstance(found, KubernetesObject)
    assert is_found is not isinstance(found, UnavailableError)


async def test_writing_is_not_sent_twice(server: ApiServer, client: Kubernetes) -> None:
    """Whether it was done is not known; only the caller knows whether that matters."""
    server.breaks[f"{COLLECTION}/prices"] = 1
    document = {"apiVersion": "v1", "kind": "ConfigMap", **config_map("prices")}

    with pytest.raises(UnavailableError):
        await client.apply(document)
    assert 1 == sum(asked.method == "PATCH" for asked in server.asked)


async def test_watches_hold_up_no_request(server: ApiServer, client: Kubernetes) -> None:
    """Requests go on beside any number of watches, and many at a time share few connections."""
    server.hold = asyncio.Event()
    server.objects["/readyz"] = {"code": 200}
    server.watches[COLLECTION] = [
        [{"type": "ADDED", "object": config_map("one")}] for _ in range(20)
    ]
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def follow() -> None:
        async for change in client.watch(CONFIG_MAPS, "1"):
            heard.put_nowait(change.object.name)

    watches = [asyncio.create_task(follow()) for _ in range(20)]
    async with asyncio.timeout(10):
        for _ in watches:
            await heard.get()
        watching = {*server.callers}
        await asyncio.gather(*(client.readyz() for _ in range(30)))
    server.hold.set()
    await asyncio.gather(*watches)

    assert len(server.callers - watching) <= 8

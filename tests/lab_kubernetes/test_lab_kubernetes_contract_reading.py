"""One suite for two servers, the lab's and a real kube-apiserver with its etcd: lists and watches.

What controllers do is left out: a bare API server has no controller manager.
"""

from __future__ import annotations

import asyncio
import base64
import json

import httpx2
import pytest

from lab.kubernetes.values import Json, Object, at, dig, maps, name_of, number, text
from tests.lab_kubernetes.contract_server import Server, refusal, settings

MINE: Object = {"mine": "yes"}
_FAR = "99999999"  # a version that no server of a test comes to


async def put_up(server: Server, *names: str) -> str:
    """Create ConfigMaps that selectors find; returns the version of the last."""
    made = [await server.put_up("configmaps", settings(name, labels=MINE)) for name in names]
    return text(made[-1], "metadata", "resourceVersion")


async def watch(server: Server, **options: str) -> list[Json]:
    """Watch the ConfigMaps of `put_up` until the server ends it; a refusal is the only item."""
    query = {"watch": "1", "labelSelector": "mine", "timeoutSeconds": "1", **options}
    async with server.http.stream("GET", server.path("configmaps"), params=query) as stream:
        return [json.loads(line) async for line in stream.aiter_lines()]


def tell(events: list[Json]) -> list[tuple[str, str]]:
    """What happened to which ConfigMap; bookmarks have no name."""
    return [(text(e, "type"), text(e, "object", "metadata", "name")) for e in events]


async def test_initial_events_end_with_a_bookmark(server: Server) -> None:
    """Who asks for all there is and for bookmarks hears when that was all."""
    await put_up(server, "a", "b")
    options = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    silent = await watch(server, **options)
    events = await watch(server, **options, allowWatchBookmarks="true")

    assert [("ADDED", "a"), ("ADDED", "b")] == tell(silent)
    assert [("ADDED", "a"), ("ADDED", "b"), ("BOOKMARK", "")] == tell(events)
    last = at(events[-1], "object")
    assert ("ConfigMap", "v1") == (text(last, "kind"), text(last, "apiVersion"))
    assert {"k8s.io/initial-events-end": "true"} == dig(last, "metadata", "annotations")
    assert text(last, "metadata", "resourceVersion").isdigit()


async def test_initial_events_need_a_match(server: Server) -> None:
    """Without `resourceVersionMatch` the watch is refused."""
    [refused] = await watch(server, sendInitialEvents="true")

    why = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
    assert refusal((422, refused)) == (
        422,
        "Invalid",
        f'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: {why}',
    )


async def test_watches_of_a_version_to_come_are_silent(server: Server) -> None:
    """As after a restore: what happens before that version is not told, and nobody complains."""
    await put_up(server, "a")
    watching = asyncio.create_task(watch(server, resourceVersion=_FAR))
    await asyncio.sleep(0.2)
    await put_up(server, "b")

    assert [] == await watching


async def test_lists_of_a_version_to_come_time_out(server: Server) -> None:
    """The refusal names both versions, and when to come again."""
    code, reason, message = refusal(answer := await server.ask("GET", _list(server, _FAR)))

    assert (504, "Timeout") == (code, reason)
    assert message.startswith(f"Timeout: Too large resource version: {_FAR}, current: ")
    assert 1 == number(answer[1], "details", "retryAfterSeconds")
    [cause] = maps(answer[1], "details", "causes")
    assert "ResourceVersionTooLarge" == text(cause, "reason")


def _list(server: Server, version: str) -> str:
    return f"{server.path('configmaps')}?resourceVersion={version}"


async def test_lists_of_no_version(server: Server) -> None:
    """A version is a number."""
    why = 'Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax'
    message = f"invalid resource version: resourceVersion: {why}"
    answer = await server.ask("GET", _list(server, "abc"))

    assert (400, "BadRequest", message) == refusal(answer)


async def read_page(server: Server, **query: str) -> tuple[list[str], str, int]:
    """Read one page of ConfigMaps: names, what asks for the next, how many are left."""
    address = httpx2.URL(server.path("configmaps"), params={"limit": "2", **query})
    code, listed = await server.ask("GET", str(address))
    assert 200 == code, listed
    names = [name_of(item) for item in maps(listed, "items")]
    metadata = at(listed, "metadata")
    return names, text(metadata, "continue"), number(metadata, "remainingItemCount", default=-1)


async def test_pages_are_of_one_state(server: Server) -> None:
    """What goes or comes between two pages is on the later one, or not, as when it began."""
    await put_up(server, "a", "b", "c", "d", "e")
    chosen = {"labelSelector": "mine"}
    first, follow, left = await read_page(server, **chosen)
    await server.ask("DELETE", server.path("configmaps", "c"))
    await put_up(server, "c1")
    second, follow_on, _ = await read_page(server, **chosen, **{"continue": follow})
    third, end, _ = await read_page(server, **chosen, **{"continue": follow_on})

    assert [["a", "b"], ["c", "d"], ["e"]] == [first, second, third]
    assert (-1, "") == (left, end)  # nobody counts what selectors leave


async def test_pages_without_selectors_tell_how_many_are_left(server: Server) -> None:
    """The number is of objects on later pages."""
    await put_up(server, "a", "b", "c", "d", "e")
    names, follow, left = await read_page(server)
    whole = (await server.ask("GET", server.path("configmaps")))[1]

    assert (["a", "b"], True) == (names, bool(follow))
    assert len(maps(whole, "items")) - 2 == left


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"limit": "x"}, 'strconv.ParseInt: parsing "x": invalid syntax'),
        ({"continue": "!"}, "invalid continue token: "),
    ],
)
async def test_pages_that_cannot_be(server: Server, query: dict[str, str], message: str) -> None:
    """Limits are numbers; what asks for the next page comes from the one before it."""
    address = httpx2.URL(server.path("configmaps"), params=query)
    code, reason, said = refusal(await server.ask("GET", str(address)))

    assert (400, "BadRequest", message) == (code, reason, said[: len(message)])


async def test_pages_have_their_version(server: Server) -> None:
    """Who reads on may not choose another version."""
    await put_up(server, "a", "b", "c")
    _, follow, _ = await read_page(server)
    query = {"limit": "2", "continue": follow, "resourceVersion": "5"}
    address = httpx2.URL(server.path("configmaps"), params=query)

    assert refusal(await server.ask("GET", str(address))) == (
        400,
        "BadRequest",
        "specifying resource version is not allowed when using continue",
    )


def read_token(follow: str) -> Object:
    """Look into what asks for the next page."""
    token: Object = json.loads(base64.urlsafe_b64decode(follow + "=" * (-len(follow) % 4)))
    return token


async def test_page_says_itself_where_the_next_one_begins(server: Server) -> None:
    """Version and key are in the token, so that any API server of a cluster can go on."""
    await put_up(server, "a", "b", "c")
    _, follow, _ = await read_page(server, labelSelector="mine")
    token = read_token(follow)
    _, listed = await server.ask("GET", server.path("configmaps"))
    _, all_listed = await server.ask("GET", "/api/v1/configmaps?limit=1&labelSelector=mine")
    first = at(maps(all_listed, "items")[0], "metadata")

    assert ["v", "rv", "start"] == list(token)
    assert ("meta.k8s.io/v1", "/b\0") == (token["v"], token["start"])
    assert number(token, "rv") <= int(text(listed, "metadata", "resourceVersion"))
    assert f"/{first['namespace']}/{first['name']}\0" == text(
        read_token(text(all_listed, "metadata", "continue")), "start"
    )


async def test_pages_of_all_namespaces_follow_the_order_of_keys(server: Server) -> None:
    """A namespace and its neighbour with a hyphen are in etcd's order, also across pages."""
    names = [f"{server.space}-b", server.space]
    await server.ask("POST", "/api/v1/namespaces", {"metadata": {"name": names[0]}})
    found = settings("a", labels={"space": server.space})
    for name in names:
        await server.ask("POST", f"/api/v1/namespaces/{name}/configmaps", found)
    query = {"limit": "1", "labelSelector": f"space={server.space}"}
    first = (await server.ask("GET", str(httpx2.URL("/api/v1/configmaps", params=query))))[1]
    query["continue"] = text(first, "metadata", "continue")
    second = (await server.ask("GET", str(httpx2.URL("/api/v1/configmaps", params=query))))[1]

    assert names == [
        text(item, "metadata", "namespace")
        for page in (first, second)
        for item in maps(page, "items")
    ]

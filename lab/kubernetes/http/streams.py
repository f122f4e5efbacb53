"""Watches over HTTP: one JSON line a change, bookmarks, and an ERROR line at the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from lab.kubernetes.api import Api
from lab.kubernetes.errors import ApiError, BadRequestError, InvalidError
from lab.kubernetes.http.suffering import CutError, hang_up
from lab.kubernetes.registry import Served
from lab.kubernetes.values import Object
from lab.kubernetes.watching import Watch

__all__ = ["LEAVING_S", "check_options", "stream_changes"]

# Wall seconds. Real servers end watches after 30 to 60 minutes.
_LONGEST_S = 1800.0
# Wall seconds in which half a line leaves before the connection is reset, which would drop it.
LEAVING_S = 0.02


def check_options(query: Mapping[str, str]) -> None:
    """Refuse what a real API server refuses of the options of a watch.

    Raises:
        InvalidError: an option is not allowed beside another.
        BadRequestError: the version is no number.
    """
    version = query.get("resourceVersion", "")
    if version and not version.isdigit():
        raise BadRequestError(
            f'resourceVersion: Invalid value: "{version}": strconv.ParseUint: parsing '
            f'"{version}": invalid syntax'
        )
    if "sendInitialEvents" in query and query.get("resourceVersionMatch") != "NotOlderThan":
        why = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        cause = ("resourceVersionMatch", "FieldValueForbidden", why)
        raise InvalidError.of_field("ListOptions", "meta.k8s.io", "", cause)


async def stream_changes(
    api: Api,
    request: web.Request,
    served: Served,
    watch: Watch,
    shape: Callable[[Object], Object],
    *,
    end: Callable[[], Awaitable[ApiError]] | None = None,
) -> web.StreamResponse:
    """Stream a watch until the client goes, its timeout passes, or the server stops.

    `end` returns why it ends before that, once it does.
    """
    query = request.query

    def make_bookmark() -> Object:
        return {
            "kind": served.kind.kind,
            "apiVersion": served.api_version,
            "metadata": {"resourceVersion": str(api.store.version)},
        }

    if query.get("allowWatchBookmarks", "").lower() in {"1", "true"}:
        watch.make_bookmark = make_bookmark
    if watch.make_bookmark and query.get("sendInitialEvents", "").lower() == "true":
        last = make_bookmark()
        last["metadata"] = {
            "resourceVersion": str(api.store.version),
            "annotations": {"k8s.io/initial-events-end": "true"},
        }
        watch.bookmark(last)
    asked = query.get("timeoutSeconds", "")
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    ending = asyncio.create_task(_fail_watch(watch, end)) if end else None
    try:
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            async with asyncio.timeout(float(asked) if asked.isdigit() else _LONGEST_S):
                await _write_lines(response, watch, shape)
    except CutError:
        with contextlib.suppress(ConnectionResetError):
            await response.write(b'{"type":"MODIFIED","object":{"kind":"')
        await asyncio.sleep(LEAVING_S)
        hang_up(request)
    finally:
        if ending is not None:
            ending.cancel()
    return response


async def _fail_watch(watch: Watch, end: Callable[[], Awaitable[ApiError]]) -> None:
    watch.fail(await end())


async def _write_lines(
    response: web.StreamResponse, watch: Watch, shape: Callable[[Object], Object]
) -> None:
    with watch as changes:
        try:
            async for event, obj in changes:
                shown = obj if event == "BOOKMARK" else shape(obj)
                line = json.dumps({"type": event, "object": shown}, separators=(",", ":"))
                await response.write(line.encode() + b"\n")
        except CutError:
            raise
        except ApiError as error:
            line = json.dumps({"type": "ERROR", "object": error.status})
            await response.write(line.encode() + b"\n")

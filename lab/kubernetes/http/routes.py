"""From a request to its answer: health, discovery, reading, and what changes objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime

from aiohttp import web

from lab.kubernetes.ailing import STALE_API, Health
from lab.kubernetes.api import Api
from lab.kubernetes.errors import (
    ApiError,
    NotFoundError,
    TooManyRequestsError,
    UnknownGroupError,
)
from lab.kubernetes.http.answers import answer_json
from lab.kubernetes.http.discovery import find_document, list_aggregated
from lab.kubernetes.http.objects import Call, change_object, check_permission, show_scale
from lab.kubernetes.http.openapi import describe_group, list_documents
from lab.kubernetes.http.pages import read_page
from lab.kubernetes.http.requests import Target, read_target, read_user
from lab.kubernetes.http.streams import check_options, stream_changes
from lab.kubernetes.http.suffering import HEALTH, Suffering, describe_health
from lab.kubernetes.http.tables import make_table
from lab.kubernetes.registry import Registry, Served
from lab.kubernetes.serving import refuse_logs
from lab.kubernetes.values import Json, Object, name_of, namespace_of, text
from lab.ledger import Ledger

__all__ = ["Routes"]

_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
# How many parts paths about the API itself have after `/api` and `/apis`.
_LONGEST_DISCOVERY = {"api": 1, "apis": 2}
Shape = Callable[[Sequence[Object], str], Object]


class Routes:
    """Answers any request; `version` is the Kubernetes version of this server, `v1.36.3`.

    `ledger`, where there is one, is told what clients from outside see, and when they act; each
    answer follows at least from `cause`, the wait that the server itself started after.
    `health` is what the server suffers.
    """

    def __init__(
        self,
        api: Api,
        now: Callable[[], datetime],
        version: str,
        *,
        ledger: Ledger | None = None,
        cause: int = 0,
        health: Health | None = None,
    ) -> None:
        self._api = api
        self._ledger = ledger
        self._cause = cause
        self._now = now
        self.version = version
        self._suffering = Suffering(health) if health else None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a request; what is refused becomes a `Status`."""
        suffering = self._suffering
        if suffering is None:
            return await self._answer(request)
        refused = await suffering.meet(request)
        if refused is not None:
            return refused
        response = await self._answer(request)
        suffering.leave(request)
        return response

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._route(request)
        except UnknownGroupError:
            return web.Response(text="404 page not found\n", status=404)
        except ApiError as error:
            headers = {"Retry-After": "10"} if isinstance(error, TooManyRequestsError) else {}
            return answer_json(error.status, error.code, headers)

    async def _route(self, request: web.Request) -> web.StreamResponse:
        user = read_user(request)
        if user is None:
            raise UnauthorizedError("Unauthorized")
        if self._ledger is not None:
            self._ledger.note_seen(self._cause)
        parts = [part for part in request.path.split("/") if part]
        if parts and parts[0] in HEALTH:
            is_verbose = "verbose" in request.query
            return web.Response(text=describe_health(parts[0]) if is_verbose else "ok")
        document = self._describe(parts, request.headers.get("Accept", ""))
        if document is not None:
            return document
        target = read_target(request.path)
        check_permission(user, request.method, target)
        served = self._api.registry.of_path(target.group, target.version, target.plural)
        if target.subresource and target.subresource not in served.kind.subresources:
            raise NotFoundError.of_kind()
        if request.method == "GET":
            return await self._read(request, served, target)
        if self._ledger is not None:
            self._ledger.follow_seen()
        status, answer = await change_object(Call(self._api, request, served, target, user))
        if target.subresource == "scale":
            answer = show_scale(answer)
        return answer_json(answer, status)

    async def _read(
        self, request: web.Request, served: Served, target: Target
    ) -> web.StreamResponse:
        query, shape = request.query, self._find_shape(request, served)
        labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
        if query.get("watch", "").lower() in {"1", "true"}:
            check_options(query)
            initial = query.get("sendInitialEvents", "").lower() == "true"
            watch = self._api.watch(
                served,
                target.namespace,
                labels=labels,
                fields=f"metadata.name={target.name}" if target.name else fields,
                since="" if initial else query.get("resourceVersion", ""),
            )

            def show(obj: Object) -> Object:
                self._note_seen(served, [obj])
                return shape([obj], "") if shape else obj

            end = self._suffering.end_watch if self._suffering else None
            return await stream_changes(self._api, request, served, watch, show, end=end)
        if target.name:
            return self._read_one(served, target, shape)

        def find(version: int | None) -> tuple[Sequence[Object], str]:
            return self._api.list(
                served, target.namespace, labels=labels, fields=fields, version=version
            )

        page = read_page(query, target.namespace, find)
        self._note_seen(served, page.objects)
        if shape:
            return answer_json({**shape(page.objects, page.version), "metadata": page.metadata})
        items: list[Json] = list(page.objects)
        listed: Object = {
            "kind": f"{served.kind.kind}List",
            "apiVersion": served.api_version,
            "metadata": page.metadata,
            "items": items,
        }
        return answer_json(listed)

    def _read_one(self, served: Served, target: Target, shape: Shape | None) -> web.Response:
        obj = self._api.get(served, target.name, target.namespace)
        self._note_seen(served, [obj])
        if target.subresource == "log":
            raise refuse_logs(self._api.store, text(obj, "spec", "nodeName"))
        if target.subresource == "scale":
            obj = show_scale(obj)
        return answer_json(shape([obj], "") if shape else obj)

    def _note_seen(self, served: Served, objects: Sequence[Object]) -> None:
        if self._ledger is not None:
            store, resource = self._api.store, served.kind.resource
            places = ((resource, namespace_of(obj), name_of(obj)) for obj in objects)
            self._ledger.note_seen(*(store.cause_of(*place) for place in places))

    def _find_shape(self, request: web.Request, served: Served) -> Shape | None:
        wanted = request.headers.get("Accept", "").split(",")[0].replace(" ", "")
        if "as=Table" in wanted:
            whole = request.query.get("includeObject") == "Object"
            return lambda objects, version: make_table(
                served.kind, objects, version, self._now(), whole=whole
            )
        if "as=PartialObjectMetadata" in wanted:
            many = "as=PartialObjectMetadataList" in wanted
            return lambda objects, version: _strip(objects, version, many=many)
        return None

    def _describe(self, parts: list[str], accept: str) -> web.Response | None:
        """Answer what is about the API itself; None when it is about objects."""
        registry = self._api.registry
        stale = STALE_API if self._suffering and self._suffering.is_stale() else None
        aggregated = "g=apidiscovery.k8s.io" in accept and "v=v2;" in f"{accept};"
        document: Object | None
        match parts:
            case ["version"]:
                document = _describe_version(self.version)
            case ["api" | "apis"] if aggregated:
                body = list_aggregated(registry, core=parts == ["api"], stale=stale)
                return web.Response(text=json.dumps(body), headers={"Content-Type": _AGGREGATED})
            case ["apis", group, *_] if stale and group == stale[0]:
                return web.Response(text="service unavailable\n", status=503)
            case ["api" | "apis", *rest] if len(rest) <= _LONGEST_DISCOVERY[parts[0]]:
                document = find_document(registry, parts, stale)
            case ["openapi", "v3", *rest]:
                document = _describe_openapi(registry, rest)
            case ["openapi", *_] | []:
                document = None
            case _:
                return None
        if document is None:
            raise UnknownGroupError
        return answer_json(document)


class UnauthorizedError(ApiError):
    """The client has no certificate."""

    code = 401
    reason = "Unauthorized"


def _describe_openapi(registry: Registry, parts: list[str]) -> Object | None:
    match parts:
        case []:
            return list_documents(registry)
        case ["api", version]:
            return describe_group(registry, "", version)
        case ["apis", group, version]:
            return describe_group(registry, group, version)
        case _:
            return None


def _describe_version(version: str) -> Object:
    major, minor, *_ = version.removeprefix("v").split(".")
    return {
        "major": major,
        "minor": minor,
        "gitVersion": version,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "go1.26",
        "compiler": "gc",
        "platform": "linux/amd64",
    }


def _strip(objects: Sequence[Object], version: str, *, many: bool) -> Object:
    stripped: list[Object] = [
        {
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": obj.get("metadata", {}),
        }
        for obj in objects
    ]
    if not many:
        return stripped[0]
    items: list[Json] = list(stripped)
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version},
        "items": items,
    }

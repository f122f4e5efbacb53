"""What the suite for both API servers holds in its hands: a server, requests, refusals."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import httpx2

from lab.kubernetes.values import Json, Object, at, dig, name_of, number, text

MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
HOLD: Json = ["example.org/hold"]


@dataclass(frozen=True, slots=True)
class Server:
    """A server under test, and a namespace of the test's own."""

    http: httpx2.AsyncClient
    space: str

    def path(self, plural: str, name: str = "", api: str = "/api/v1") -> str:
        """Where a kind, or an object, of the test's namespace is."""
        return f"{api}/namespaces/{self.space}/{plural}" + (f"/{name}" if name else "")

    async def ask(
        self, method: str, path: str, body: Json = None, *, form: str = "application/json"
    ) -> tuple[int, Json]:
        """Send a request; returns the code, and the answer's JSON or text."""
        headers = {"Content-Type": form, "User-Agent": "contract/1"}
        content = None if body is None else json.dumps(body)
        answer = await self.http.request(method, path, content=content, headers=headers)
        is_json = answer.headers["content-type"].startswith("application/json")
        return answer.status_code, answer.json() if is_json else answer.text

    async def put_up(self, plural: str, obj: Object, api: str = "/api/v1") -> Object:
        """Create an object that must be taken."""
        code, made = await self.ask("POST", self.path(plural, api=api), obj)
        assert (201, True) == (code, isinstance(made, dict)), made
        return at(made)

    async def apply(self, obj: Object, manager: str, *, query: str = "") -> tuple[int, Json]:
        """Apply a ConfigMap."""
        path = f"{self.path('configmaps', name_of(obj))}?fieldManager={manager}{query}"
        return await self.ask("PATCH", path, obj, form=APPLY)


@asynccontextmanager
async def connect(url: str, context: ssl.SSLContext) -> AsyncIterator[Server]:
    """Connect to a server and make a namespace there."""
    async with httpx2.AsyncClient(base_url=url, verify=context) as http:
        found = Server(http, f"contract-{uuid4().hex[:8]}")
        await found.ask("POST", "/api/v1/namespaces", {"metadata": {"name": found.space}})
        yield found


def settings(name: str, data: Object | None = None, **metadata: Json) -> Object:
    """A ConfigMap."""
    where: Object = {"name": name, **metadata}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": where, "data": data or {}}


def refusal(answer: tuple[int, Json]) -> tuple[int, str, str]:
    """Code, reason and message of a refusal, which the body says as the status line does."""
    code, body = answer
    assert ("Status", "Failure", code) == (
        dig(body, "kind"),
        dig(body, "status"),
        number(body, "code"),
    )
    return code, text(body, "reason"), text(body, "message")


async def write(server: Server, method: str, obj: Object) -> tuple[int, Json]:
    """Write a ConfigMap: PUT, PATCH or APPLY."""
    if method == "APPLY":
        return await server.apply(obj, "one")
    form = MERGE if method == "PATCH" else "application/json"
    return await server.ask(method, server.path("configmaps", name_of(obj)), obj, form=form)

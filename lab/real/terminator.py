"""Stands before a real API server while a fault of its answers is on: TLS ends here.

What is not to suffer is asked of the real server, for whom it came from: by the names of the
client's certificate in the headers of a front proxy (`--requestheader-client-ca-file`), or with
the client's own token.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from lab.kubernetes.ailing import Health
from lab.kubernetes.http.requests import read_user
from lab.kubernetes.http.streams import LEAVING_S
from lab.kubernetes.http.suffering import CutError, Suffering, hang_up
from lab.kubernetes.pki import issue_certificate
from lab.ports import KubernetesPki
from lab.real.passage import Target
from lab.tls import load_identity

__all__ = ["FRONT_PROXY", "Terminator"]

FRONT_PROXY = "lab-front-proxy"
_REMOTE = "X-Remote-"
# Of one connection only, or made anew for the other one.
_HOP = frozenset({"connection", "host", "keep-alive", "transfer-encoding", "upgrade"})
_OF_BODY = frozenset({"content-encoding", "content-length"})


class Terminator:
    """Answers any request to one API server, which listens at `target`."""

    def __init__(self, pki: KubernetesPki, target: Target, health: Health) -> None:
        self._suffering = Suffering(health)
        self._pki = pki
        self._url = f"https://{target[0]}:{target[1]}"
        self._known: aiohttp.ClientSession | None = None  # as a front proxy
        self._unknown: aiohttp.ClientSession | None = None  # without a certificate

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Let a request suffer, or have it answered."""
        refused = await self._suffering.meet(request)
        if refused is not None:
            return refused
        try:
            response = await self._pass_on(request)
        except aiohttp.ClientError:
            hang_up(request)  # the server is away
            return web.Response()
        self._suffering.leave(request)
        return response

    async def close(self) -> None:
        """Hang up."""
        for session in filter(None, (self._known, self._unknown)):
            await session.close()
        self._known = self._unknown = None

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        headers = CIMultiDict(
            (name, value)
            for name, value in request.headers.items()
            if name.lower() not in _HOP and not name.startswith(_REMOTE)
        )
        user = read_user(request)
        if user is not None:
            headers.add(f"{_REMOTE}User", user.name)
            for group in user.groups:
                headers.add(f"{_REMOTE}Group", group)
        asking = self._choose(is_known=user is not None).request(
            request.method,
            f"{self._url}{request.raw_path}",
            headers=headers,
            data=await request.read() or None,
            allow_redirects=False,
        )
        async with asking as answer:
            kept = [(n, v) for n, v in answer.headers.items() if n.lower() not in _HOP | _OF_BODY]
            if request.query.get("watch", "").lower() in {"1", "true"}:
                return await self._stream(request, answer, CIMultiDict(kept))
            return web.Response(
                status=answer.status, body=await answer.read(), headers=CIMultiDict(kept)
            )

    async def _stream(
        self, request: web.Request, answer: aiohttp.ClientResponse, headers: CIMultiDict[str]
    ) -> web.StreamResponse:
        """Pass a watch on until it ends, or is made to."""
        response = web.StreamResponse(status=answer.status, headers=headers)
        await response.prepare(request)
        passing = asyncio.create_task(_copy(answer, response))
        ending = asyncio.create_task(self._suffering.end_watch())
        try:
            await asyncio.wait((passing, ending), return_when=asyncio.FIRST_COMPLETED)
            if ending.done() and not passing.done():
                passing.cancel()
                await asyncio.wait((passing,))
                error = ending.result()
                if isinstance(error, CutError):
                    await response.write(b'{"type":"MODIFIED","object":{"kind":"')
                    await asyncio.sleep(LEAVING_S)
                    hang_up(request)
                else:
                    line = json.dumps({"type": "ERROR", "object": error.status})
                    await response.write(line.encode() + b"\n")
        finally:
            for task in (passing, ending):
                task.cancel()
        return response

    def _choose(self, *, is_known: bool) -> aiohttp.ClientSession:
        if is_known:
            self._known = self._known or self._open(is_known=True)
            return self._known
        self._unknown = self._unknown or self._open(is_known=False)
        return self._unknown

    def _open(self, *, is_known: bool) -> aiohttp.ClientSession:
        context = ssl.create_default_context(cadata=self._pki.ca_crt.decode())
        if is_known:
            # Whoever has the key of etcd's CA has the cluster anyway: no further CA is needed.
            issuer = KubernetesPki(self._pki.etcd_ca_crt, self._pki.etcd_ca_key)
            load_identity(context, *issue_certificate(issuer, FRONT_PROXY, ()))
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=True,
        )


async def _copy(answer: aiohttp.ClientResponse, response: web.StreamResponse) -> None:
    with contextlib.suppress(ConnectionResetError, aiohttp.ClientError):
        async for piece in answer.content.iter_any():
            await response.write(piece)

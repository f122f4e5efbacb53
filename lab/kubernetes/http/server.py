"""One API server: an aiohttp application behind TLS on the lines of one or two addresses."""

from __future__ import annotations

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from typing import Protocol

from aiohttp import web

from lab.network import Line, Served

__all__ = ["Answering", "ApiServer"]

# Large lists and CRDs with their schemas; etcd's own limit is 1.5 MiB an object.
_LARGEST_BODY = 16 * 1024 * 1024
# Open watches are cut when a server stops, as when its process ends.
_SHUTDOWN_S = 0.01


class Answering(Protocol):
    """Answers any request."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one."""
        ...


class ApiServer:
    """Answers requests for one control plane; `listen` once an address."""

    def __init__(self, routes: Answering) -> None:
        self._routes = routes
        self._runner: web.AppRunner | None = None
        self._served: list[Served] = []
        self._places: list[tuple[Line, int, ssl.SSLContext]] = []

    async def listen(self, line: Line, port: int, context: ssl.SSLContext) -> None:
        """Begin to answer on a line's port.

        Raises:
            OSError: somebody else listens there.
        """
        await self._answer_on(line, port, context)
        self._places.append((line, port, context))

    async def hush(self) -> None:
        """Be gone for a while: nobody listens, open connections are cut."""
        for served in self._served:
            served.close()
        self._served.clear()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def resume(self) -> None:
        """Be there again, where it was."""
        for place in self._places:
            await self._answer_on(*place)

    async def close(self) -> None:
        """Stop answering; open connections are cut."""
        self._places.clear()
        await self.hush()

    async def _answer_on(self, line: Line, port: int, context: ssl.SSLContext) -> None:
        if self._runner is None:
            application = web.Application(client_max_size=_LARGEST_BODY)
            application.router.add_route("*", "/{path:.*}", self._routes.answer)
            self._runner = web.AppRunner(
                application,
                access_log=None,
                shutdown_timeout=_SHUTDOWN_S,
                handler_cancellation=True,
            )
            await self._runner.setup()
        answering = self._runner.server
        assert answering is not None  # noqa: S101 # it is there once the runner is set up
        loop = asyncio.get_running_loop()
        # No waiter: nobody waits for the handshake of an accepted connection.
        waiter: asyncio.Future[None] = None  # type: ignore[assignment]

        def make() -> SSLProtocol:
            return SSLProtocol(loop, answering(), context, waiter, server_side=True)

        self._served.append(line.serve(port, make))

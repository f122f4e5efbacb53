"""The socket of a machine's API: opened, cut, and opened again with other certificates."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from weakref import WeakSet

from grpclib.const import Handler
from grpclib.protocol import H2Protocol
from grpclib.server import Server

__all__ = ["API_PORT", "Listener"]

API_PORT = 50000


class _Servable:
    """Hands grpclib a table of handlers."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers

    def __mapping__(self) -> dict[str, Handler]:
        return dict(self._handlers)


class _CuttableServer(Server):
    """A grpclib server that remembers its connections, so that a reboot can cut them."""

    protocols: WeakSet[H2Protocol]

    def _protocol_factory(self) -> H2Protocol:
        protocol = super()._protocol_factory()
        self.protocols.add(protocol)
        return protocol

    def cut(self) -> None:
        """Drop every connection without a goodbye: a rebooting machine sends no GOAWAY."""
        for protocol in list(self.protocols):
            connection = getattr(protocol, "connection", None)
            transport = getattr(connection, "_transport", None)
            if transport is not None:
                transport.abort()


class Listener:
    """Listens on one loopback address; closed until `open`."""

    def __init__(self, host: str, handlers: Mapping[str, Handler]) -> None:
        self._host = host
        self._handlers = handlers
        self._server: _CuttableServer | None = None
        self._mute: asyncio.Server | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether the API answers."""
        return self._server is not None

    async def open(self, context: ssl.SSLContext) -> None:
        """Listen with these certificates; whatever listened before is cut."""
        await self.close()
        server = _CuttableServer([_Servable(self._handlers)])
        server.protocols = WeakSet()
        await server.start(self._host, API_PORT, ssl=context, reuse_address=True)
        self._server = server

    async def open_mute(self) -> None:
        """Accept connections and never answer, as a machine that hangs does."""
        await self.close()
        self._mute = await asyncio.start_server(_hold, self._host, API_PORT, reuse_address=True)

    async def close(self) -> None:
        """Stop listening and cut every connection, without a goodbye."""
        if self._mute is not None:
            self._mute.close()
            self._mute = None
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        server.cut()
        await server.wait_closed()


async def _hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while await reader.read(4096):
            continue
    finally:
        writer.close()

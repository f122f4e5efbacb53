"""The socket of a machine's API: opened, cut, and opened again with other certificates."""

from __future__ import annotations

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable, Mapping
from functools import cache
from weakref import WeakSet

from grpclib.const import Handler
from grpclib.protocol import H2Protocol
from grpclib.server import Server

__all__ = ["API_PORT", "Listener"]

API_PORT = 50000
_ALERT_LINGER_S = 0.05  # wall seconds; enough on loopback


class _Servable:
    """Hands grpclib a table of handlers."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers

    def __mapping__(self) -> dict[str, Handler]:
        return dict(self._handlers)


class _AlertingTls(SSLProtocol):
    """asyncio's TLS, but a failed handshake tells the other side why before it closes.

    asyncio drops the alert that OpenSSL has written; a real machine sends it, and talosctl shows
    it: `remote error: tls: certificate required`.
    """

    _has_failed = False

    def _on_handshake_complete(self, handshake_exc: BaseException | None) -> None:
        complete = super()._on_handshake_complete
        if handshake_exc is None:
            complete(None)
        elif not self._has_failed:
            self._has_failed = True
            # Not in typeshed: hands what OpenSSL wants sent to the transport.
            getattr(self, "_process_outgoing")()  # noqa: B009
            # Closing at once would reset the connection under the client's first write, and
            # the client would report that instead of the alert.
            asyncio.get_running_loop().call_later(_ALERT_LINGER_S, complete, handshake_exc)


class _CuttableServer(Server):
    """A grpclib server with TLS of its own, that remembers its connections to cut them."""

    def __init__(
        self, handlers: Mapping[str, Handler], find_context: Callable[[], ssl.SSLContext]
    ) -> None:
        super().__init__([_Servable(handlers)])
        self._find_context = find_context
        self._protocols: WeakSet[H2Protocol] = WeakSet()

    def _protocol_factory(self) -> H2Protocol:
        protocol = super()._protocol_factory()
        self._protocols.add(protocol)
        loop = asyncio.get_running_loop()
        # No waiter: nobody waits for the handshake of an accepted connection.
        waiter: asyncio.Future[None] = None  # type: ignore[assignment]
        return _AlertingTls(  # type: ignore[return-value]  # wraps the protocol, is one itself
            loop, protocol, self._find_context(), waiter, server_side=True
        )

    def cut(self) -> None:
        """Drop every connection without a goodbye: a rebooting machine sends no GOAWAY."""
        for protocol in list(self._protocols):
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

    async def open(self, make_context: Callable[[], ssl.SSLContext]) -> None:
        """Listen with the certificates of that context; whatever listened before is cut.

        The context is made when the first client connects: of a thousand machines most are
        never asked, and each certificate takes a millisecond.
        """
        await self.close()
        server = _CuttableServer(self._handlers, cache(make_context))
        await server.start(self._host, API_PORT, reuse_address=True)
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

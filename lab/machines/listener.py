"""The API of a machine on its line: opened, cut, and opened again with other certificates."""

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

from lab.network import Line, Served

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
    """A grpclib server on a line, with TLS of its own, that can drop its connections."""

    def __init__(
        self, handlers: Mapping[str, Handler], find_context: Callable[[], ssl.SSLContext]
    ) -> None:
        super().__init__([_Servable(handlers)])
        self._find_context = find_context
        self._protocols: WeakSet[H2Protocol] = WeakSet()

    def listen(self, line: Line) -> Served:
        """Serve the line's port.

        Raises:
            OSError: somebody else listens there.
        """
        return line.serve(API_PORT, self._make_tls)

    async def stop(self) -> None:
        """Drop every connection without a goodbye: a rebooting machine sends no GOAWAY."""
        handlers = list(self._handlers)
        for handler in handlers:
            handler.close()
        for protocol in list(self._protocols):
            connection = getattr(protocol, "connection", None)
            transport = getattr(connection, "_transport", None)
            if transport is not None:
                transport.abort()
        for handler in handlers:
            await handler.wait_closed()

    def _make_tls(self) -> SSLProtocol:
        protocol = self._protocol_factory()
        self._protocols.add(protocol)
        loop = asyncio.get_running_loop()
        # No waiter: nobody waits for the handshake of an accepted connection.
        waiter: asyncio.Future[None] = None  # type: ignore[assignment]
        return _AlertingTls(loop, protocol, self._find_context(), waiter, server_side=True)


class Listener:
    """Listens on one machine's line; closed until `open`."""

    def __init__(self, line: Line, handlers: Mapping[str, Handler]) -> None:
        self.line = line
        self._handlers = handlers
        self._server: _CuttableServer | None = None
        self._served: Served | None = None

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
        self._served = server.listen(self.line)
        self._server = server

    async def open_mute(self) -> None:
        """Accept connections and never answer, as a machine that hangs does."""
        await self.close()
        self._served = self.line.serve(API_PORT, _Mute)

    async def close(self) -> None:
        """Stop listening and cut every connection, without a goodbye."""
        served, self._served = self._served, None
        if served is not None:
            served.close()
        server, self._server = self._server, None
        if server is not None:
            await server.stop()


class _Mute(asyncio.BufferedProtocol):
    """Reads and says nothing."""

    def get_buffer(self, sizehint: int) -> bytearray:
        """Lend a buffer that nobody looks into."""
        del sizehint
        return bytearray(4096)

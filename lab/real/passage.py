"""A connection to a line that goes on to a server behind it, as it is: TLS is theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from lab.sockets import reset_at_close

__all__ = ["Passage", "Passages", "Target"]

_PIECE = 64 * 1024
Target = tuple[str, int]


class Passages:
    """Every connection to one server, from whichever line; `find` tells where a new one goes."""

    def __init__(self, find: Callable[[], Target]) -> None:
        self._find = find
        self._open: set[Passage] = set()

    def make(self) -> Passage:
        """Make the protocol of a new connection."""
        passage = Passage(self._find(), self._open.discard)
        self._open.add(passage)
        return passage

    def cut(self, *, keeps: Target | None = None) -> None:
        """Reset every connection, but those to `keeps`."""
        for passage in tuple(self._open):
            if passage.target != keeps:
                passage.cut()


class Passage(asyncio.BufferedProtocol):
    """The client's side; the server's is opened as soon as the client is there."""

    def __init__(self, target: Target, forget: Callable[[Passage], None]) -> None:
        self.target = target
        self._forget = forget
        self._buffer = bytearray(_PIECE)
        self._early = bytearray()  # what came before the server's side was open
        self._front: asyncio.Transport | None = None
        self._back: asyncio.Transport | None = None
        self._opening: asyncio.Task[None] | None = None

    def cut(self) -> None:
        """Reset the connection."""
        for side in (self._front, self._back):
            if side is not None:
                reset_at_close(side)
                side.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open the other side."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 # sockets have no other
        self._front = transport
        self._opening = asyncio.create_task(self._open_back())

    def get_buffer(self, sizehint: int) -> memoryview:
        """Lend the buffer."""
        del sizehint
        return memoryview(self._buffer)

    def buffer_updated(self, nbytes: int) -> None:
        """Send on what the client sent."""
        if self._back is None:
            self._early += self._buffer[:nbytes]
        else:
            self._back.write(bytes(self._buffer[:nbytes]))

    def eof_received(self) -> bool:
        """End both sides: neither TLS nor HTTP goes on in one direction."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """End the other side, too."""
        self._forget(self)
        if self._opening is not None:
            self._opening.cancel()
        if self._back is not None:
            self._back.close() if exc is None else self._back.abort()

    def pause_writing(self) -> None:
        """Have the server send no more for now."""
        if self._back is not None:
            self._back.pause_reading()

    def resume_writing(self) -> None:
        """Have the server send on."""
        if self._back is not None and not self._back.is_closing():
            self._back.resume_reading()

    async def _open_back(self) -> None:
        front = self._front
        assert front is not None  # noqa: S101 # it was made before
        loop = asyncio.get_running_loop()
        try:
            back, _ = await loop.create_connection(lambda: _Back(front), *self.target)
        except OSError:
            front.close()
            return
        self._back = back
        back.write(bytes(self._early))
        self._early.clear()


class _Back(asyncio.Protocol):
    """The server's side."""

    def __init__(self, front: asyncio.Transport) -> None:
        self._front = front

    def data_received(self, data: bytes) -> None:
        """Send on what the server sent."""
        self._front.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the client's side in the same way."""
        if exc is None:
            self._front.close()
        else:
            reset_at_close(self._front)
            self._front.abort()

    def pause_writing(self) -> None:
        """Have the client send no more for now."""
        self._front.pause_reading()

    def resume_writing(self) -> None:
        """Have the client send on."""
        if not self._front.is_closing():
            self._front.resume_reading()

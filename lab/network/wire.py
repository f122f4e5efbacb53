"""One connection between its socket and its protocol: passed on at once, late, or not at all.

To the protocol it is the transport, to the transport the protocol. What is on its way while a line
is silent waits, as TCP sends again what was lost; that a connection ended arrives no sooner.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

from lab.network.condition import Condition
from lab.sockets import reset_at_close

__all__ = ["Road", "Wire"]


class Road(Protocol):
    """What a wire asks of its line."""

    @property
    def condition(self) -> Condition:
        """How the line is now."""
        ...

    @property
    def speed(self) -> float:
        """Simulated seconds a second."""
        ...

    def forget(self, wire: Wire) -> None:
        """Hear that a wire is no more."""
        ...


class Wire(asyncio.BufferedProtocol, asyncio.Transport):
    """Stands between a socket's transport and a buffered protocol, such as asyncio's TLS."""

    def __init__(self, inner: asyncio.BufferedProtocol, road: Road) -> None:
        super().__init__()
        self._inner = inner
        self._road = road
        self._inbound = _Lane(road)
        self._outbound = _Lane(road)
        self._below: asyncio.Transport
        self._buffer = memoryview(bytearray(_BUFFER_SIZE))
        self._is_closing = False

    # Of the line.

    def settle(self) -> None:
        """Follow the line's new condition."""
        self._inbound.settle()
        self._outbound.settle()

    def sever(self) -> None:
        """Break the connection: the other side gets a reset."""
        reset_at_close(self._below)
        self._below.abort()

    # From the socket.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 # sockets have no other
        self._below = transport
        self._inner.connection_made(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Lend the protocol's own buffer while nothing is in the way."""
        if self._inbound.is_clear:
            return memoryview(self._inner.get_buffer(sizehint))
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Pass on what arrived."""
        if self._inbound.is_clear:
            self._inner.buffer_updated(nbytes)
            return
        self._inbound.put(partial(self._feed, bytes(self._buffer[:nbytes])), nbytes)

    def eof_received(self) -> bool:
        """Pass on that the other side sends no more; the connection ends only afterwards."""
        self._inbound.put(self._end, 0)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass on that the connection is no more."""
        self._road.forget(self)
        self._outbound.drop()
        self._inbound.put(partial(self._inner.connection_lost, exc), 0)

    def pause_writing(self) -> None:
        """Pass on that the socket takes no more."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that the socket takes more."""
        self._inner.resume_writing()

    def _feed(self, data: bytes) -> None:
        while data:
            room = memoryview(self._inner.get_buffer(len(data)))
            taken = min(len(room), len(data))
            room[:taken] = data[:taken]
            self._inner.buffer_updated(taken)
            data = data[taken:]

    def _end(self) -> None:
        if not self._inner.eof_received():
            self.close()

    # From the protocol.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send."""
        if self._outbound.is_clear:
            self._below.write(data)
        else:
            self._outbound.put(partial(self._below.write, bytes(data)), len(data))

    def close(self) -> None:
        """Hang up after what was written has left."""
        self._is_closing = True
        self._outbound.put(self._below.close, 0)

    def abort(self) -> None:
        """Hang up at once, whatever is on its way."""
        self._is_closing = True
        self._outbound.drop()
        self._outbound.put(self._below.abort, 0)

    def _force_close(self, _: BaseException | None) -> None:
        # What asyncio's TLS calls instead of `abort`.
        self.abort()

    def is_closing(self) -> bool:
        """Tell whether it was hung up."""
        return self._is_closing or self._below.is_closing()

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Tell what the socket's transport knows."""
        return self._below.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Have the socket read no more."""
        self._below.pause_reading()

    def resume_reading(self) -> None:
        """Have the socket read on."""
        self._below.resume_reading()

    def get_write_buffer_size(self) -> int:
        """Tell how much has not left."""
        return self._below.get_write_buffer_size()


_BUFFER_SIZE = 64 * 1024


class _Lane:
    """One direction: things pass in their order, each when the line lets it."""

    def __init__(self, road: Road) -> None:
        self._road = road
        self._waiting: deque[tuple[float, Callable[[], object]]] = deque()
        self._free_at = 0.0  # when what was put last has left
        self._timer: asyncio.TimerHandle | None = None
        self._is_passing = False  # what is passed on may bring more

    @property
    def is_clear(self) -> bool:
        """Tell whether something put now passes at once."""
        return not self._waiting and not self._is_passing and self._road.condition.is_plain

    def put(self, deliver: Callable[[], object], size: int) -> None:
        """Pass something on when its time has come; `size` is what it weighs in bytes."""
        if self.is_clear:
            deliver()
            return
        condition, speed = self._road.condition, self._road.speed
        now = asyncio.get_running_loop().time()
        took_s = size / condition.bytes_per_s if condition.bytes_per_s else 0.0
        self._free_at = max(now, self._free_at) + took_s / speed
        self._waiting.append((self._free_at + condition.latency_s / speed, deliver))
        self.settle()

    def drop(self) -> None:
        """Forget what is on its way."""
        self._waiting.clear()

    def settle(self) -> None:
        """Pass on what may pass now, and set the clock for the rest."""
        if self._is_passing:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._is_passing = True
        try:
            while self._waiting and not self._road.condition.is_silent:
                due, deliver = self._waiting[0]
                loop = asyncio.get_running_loop()
                if due > loop.time() and not self._road.condition.is_plain:
                    self._timer = loop.call_at(due, self.settle)
                    return
                self._waiting.popleft()
                deliver()
        finally:
            self._is_passing = False

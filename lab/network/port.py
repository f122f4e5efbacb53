"""One port of an address: closed, listening, or there and mute."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Bind", "Port", "bind"]

Bind: TypeAlias = "Callable[[str, int], socket.socket]"

_BACKLOG = 128
# How long to wait after the process has run out of file descriptors; asyncio's own number.
_EXHAUSTED_S = 1.0


def bind(host: str, port: int) -> socket.socket:
    """Make a socket that is bound, as a server's is.

    Raises:
        OSError: the address is taken, or is none of this machine's.
    """
    made = socket.socket()
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made


class Port:
    """Listens for its line; `accept` gets each connection with the port's number.

    A mute port answers nothing: its queue of connections is kept full by one of our own, and
    Linux drops whatever else arrives (`tcp_conn_request`), as a cable that was pulled would.
    """

    def __init__(
        self, host: str, number: int, make: Bind, accept: Callable[[int, socket.socket], None]
    ) -> None:
        self._place = (host, number)
        self._bind = make
        self._accept = accept
        self._socket: socket.socket | None = None
        self._stopper: socket.socket | None = None  # the connection that fills the queue
        self._listens = False

    def listen(self) -> None:
        """Take connections.

        Raises:
            OSError: somebody else listens there.
        """
        if self._listens:
            return
        open_one = self._open()
        open_one.listen(_BACKLOG)
        self._listens = True
        asyncio.get_running_loop().add_reader(open_one.fileno(), self._take)
        if self._stopper is not None:
            self._take()
            self._stopper.close()
            self._stopper = None

    def mute(self) -> None:
        """Answer nothing.

        Raises:
            OSError: somebody else listens there.
        """
        if self._stopper is not None:
            return
        open_one = self._open()
        self._pause()
        open_one.listen(0)
        self._stopper = socket.socket()
        self._stopper.setblocking(False)
        self._stopper.connect_ex(self._place)

    def close(self) -> None:
        """Refuse connections."""
        self._pause()
        for one in (self._stopper, self._socket):
            if one is not None:
                one.close()
        self._stopper = self._socket = None

    def _open(self) -> socket.socket:
        if self._socket is None:
            self._socket = self._bind(*self._place)
            self._socket.setblocking(False)
        return self._socket

    def _pause(self) -> None:
        if self._listens and self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._listens = False

    def _take(self) -> None:
        """Accept what has arrived; our own connection is none of it."""
        while self._listens and self._socket is not None:
            try:
                connection, peer = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                self._pause()
                asyncio.get_running_loop().call_later(_EXHAUSTED_S, self._resume)
                return
            if self._stopper is not None and peer == self._stopper.getsockname():
                connection.close()
                continue
            connection.setblocking(False)
            self._accept(self._place[1], connection)

    def _resume(self) -> None:
        if self._socket is not None and self._stopper is None:
            self.listen()

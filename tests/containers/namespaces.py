"""Work done in the network namespace of a container, from a thread that is in it (Linux, root)."""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["Namespace"]

_CLONE_NEWNET = 0x40000000
_IP_FREEBIND = 15  # `socket` has no name for it
_R = TypeVar("_R")


class Namespace:
    """The network namespace of a process, kept open also when the process has ended."""

    def __init__(self, pid: int) -> None:
        self._handle = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)

    def close(self) -> None:
        """Let it go."""
        os.close(self._handle)

    def call(self, work: Callable[[], _R]) -> _R:
        """Call `work` in the namespace; children that it starts are in it, too."""
        # A thread of its own: only it moves, and it ends with the work.
        with ThreadPoolExecutor(max_workers=1, initializer=self._enter) as pool:
            return pool.submit(work).result()

    def bind(self, host: str, port: int) -> socket.socket:
        """Make a socket that is bound to an address there, whether the address is up or not."""

        def make() -> socket.socket:
            made = socket.socket()
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
            made.bind((host, port))
            return made

        return self.call(make)

    def _enter(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(self._handle, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

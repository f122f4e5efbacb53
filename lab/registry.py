"""A registry on loopback that says whether an installer image exists, and holds none.

The operator's program asks for the manifest before it touches a machine; simulated machines
pull nothing, so a HEAD is all that is ever answered.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress

__all__ = ["Registry"]

# `HEAD /v2/metal-installer/ID/manifests/v1.13.9 HTTP/1.1`
_REQUEST = re.compile(rb"HEAD /v2/(\S+)/manifests/([^\s/]+) HTTP/1\.1\r\n")
_TALOS_VERSION = re.compile(r"v1\.\d+\.\d+(?:-(?:alpha|beta|rc)\.\d+)?")
_LONGEST_REQUEST = 16 * 1024


class Registry:
    """Serves every installer of every Talos version, but those whose reference is `absent`."""

    def __init__(self) -> None:
        self.absent: set[str] = set()  # parts of references
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        """Where it listens, `127.0.0.1:port`."""
        assert self._server is not None  # noqa: S101 (started before anybody is told of it)
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"{host}:{port}"

    def set_absent(self, part: str, *, on: bool = True) -> None:
        """Let images disappear whose `name:version` contains a text, or appear again."""
        (self.absent.add if on else self.absent.discard)(part)

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, limit=_LONGEST_REQUEST
        )

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            request = await reader.readuntil(b"\r\n\r\n")
            writer.write(self._answer(request))
            await writer.drain()
        writer.close()

    def _answer(self, request: bytes) -> bytes:
        found = _REQUEST.match(request)
        if found is None:
            return _head("405 Method Not Allowed")
        name, version = (part.decode("ascii", "replace") for part in found.groups())
        return _head("200 OK" if self._has(name, version) else "404 Not Found")

    def _has(self, name: str, version: str) -> bool:
        if any(part in f"{name}:{version}" for part in self.absent):
            return False
        return "installer" in name and _TALOS_VERSION.fullmatch(version) is not None


def _head(status: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()

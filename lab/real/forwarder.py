"""The VIP: connections to it go to the API server of the control plane that holds it."""

from __future__ import annotations

import asyncio
import contextlib

__all__ = ["Forwarder"]

_PIECE = 64 * 1024


class Forwarder:
    """Passes connections on, TLS and all, from `listen` to `close`."""

    def __init__(self, target: str, port: int) -> None:
        self._target = target
        self._port = port
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()

    async def listen(self, host: str) -> None:
        """Begin to listen.

        Raises:
            OSError: somebody else does.
        """
        self._server = await asyncio.start_server(self._pass, host, self._port, reuse_address=True)

    async def close(self) -> None:
        """Listen no more; open connections are cut."""
        if self._server is not None:
            self._server.close()
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 # start_server runs this as one
        self._passing.add(task)
        try:
            inner, outer = await asyncio.open_connection(self._target, self._port)
            with contextlib.closing(outer):
                ways = [
                    asyncio.create_task(_copy(reader, outer)),
                    asyncio.create_task(_copy(inner, writer)),
                ]
                try:
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for way in ways:
                        way.cancel()
                    await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            pass  # the API server is away: the client sees its connection end
        finally:
            writer.close()
            self._passing.discard(task)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()

"""One child process and everything that it starts, as one thing with one end."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

__all__ = ["ProcessGroup"]

_STDIN, _STDOUT, _STDERR = 0, 1, 2
# How long a pipe may stay open after the process ended, held by a child of it (`git gc --auto`).
_PIPE_PATIENCE_S = 0.5
_STDERR_KEPT_BYTES = 1024 * 1024


class ProcessGroup(asyncio.SubprocessProtocol):
    """A process started in a session of its own, with what it wrote so far."""

    def __init__(self, capture_limit: int) -> None:
        self._capture_limit = capture_limit
        self._transport: asyncio.SubprocessTransport | None = None
        self._stdout: list[bytes] = []
        self._stdout_bytes = 0
        self._stderr = bytearray()
        self._arrived = asyncio.Event()
        self._exited = asyncio.Event()
        self._open = {_STDOUT, _STDERR}
        self._pipes_closed = asyncio.Event()
        self._streaming = False
        self._begun_s = time.monotonic()
        self.seconds = 0.0
        self.overflowed = False

    async def start(
        self,
        argv: Sequence[str],
        cwd: Path | None,
        variables: Mapping[str, str],
        *,
        niceness: int = 0,
    ) -> None:
        """Start `argv`; raises what `execve` raises."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.subprocess_exec(
            lambda: self, *argv, cwd=cwd, env=dict(variables), start_new_session=True
        )
        if niceness:
            _give_way(transport.get_pid(), niceness)

    @property
    def returncode(self) -> int:
        """The exit code, negative for a signal; -1 while it runs or when it never started."""
        code = self._transport.get_returncode() if self._transport else None
        return -1 if code is None else code

    def feed(self, data: bytes) -> None:
        """Write all of stdin and close it; a reader that goes away early is its own affair."""
        pipe = self._transport.get_pipe_transport(_STDIN) if self._transport else None
        if isinstance(pipe, asyncio.WriteTransport):
            if data:
                pipe.write(data)
            pipe.close()

    async def next_chunk(self) -> bytes:
        """Return stdout as it comes, piece by piece, keeping nothing of it; empty at its end."""
        self._streaming = True
        while not self._stdout:
            if self._pipes_closed.is_set() or self._exited.is_set():
                await self._drained()
                break
            self._arrived.clear()
            await self._arrived.wait()
        chunk = b"".join(self._stdout)
        self._stdout.clear()
        return chunk

    async def finished(self) -> None:
        """Wait for the process to end and for its pipes, which a child of it may hold open."""
        await self._exited.wait()
        await self._drained()

    @property
    def stdout(self) -> bytes:
        """What it wrote to stdout and `next_chunk` did not take."""
        return b"".join(self._stdout)

    @property
    def stderr(self) -> bytes:
        """The last part of what it wrote to stderr."""
        return bytes(self._stderr)

    async def end(self, grace_s: float) -> None:
        """End the whole group: TERM, `grace_s` seconds, KILL; also what the process left behind."""
        if self._transport is None:
            return
        try:
            if not self._exited.is_set():
                self._signal(signal.SIGTERM)
                await _wait(self._exited, grace_s)
        finally:
            # Also after a second cancel, and also for children of a process that ended by itself.
            self._signal(signal.SIGKILL)
            self._transport.close()
            await _wait(self._exited, grace_s)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport: asyncio's side of the process."""
        if isinstance(transport, asyncio.SubprocessTransport):
            self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Keep a chunk; stdout whole up to the limit, of stderr the last part."""
        if fd == _STDERR:
            self._stderr += data
            del self._stderr[:-_STDERR_KEPT_BYTES]
            return
        if self._stdout_bytes + len(data) > self._capture_limit and not self._streaming:
            self.overflowed = True
            self._signal(signal.SIGKILL)
            return
        self._stdout.append(data)
        self._stdout_bytes += len(data)
        self._arrived.set()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """Note the end of a pipe; a broken stdin is no error."""
        del exc
        self._open.discard(fd)
        if not self._open:
            self._pipes_closed.set()
            self._arrived.set()

    def process_exited(self) -> None:
        """Note the end of the process."""
        self.seconds = time.monotonic() - self._begun_s
        self._exited.set()
        self._arrived.set()

    async def _drained(self) -> None:
        """Wait for the ends of the pipes; a child that holds them is ended after a moment."""
        if not await _wait(self._pipes_closed, _PIPE_PATIENCE_S):
            self._signal(signal.SIGKILL)
            await _wait(self._pipes_closed, _PIPE_PATIENCE_S)

    def _signal(self, number: signal.Signals) -> None:
        """Signal the whole group, which has the number of the process that leads it."""
        if self._transport is not None:
            try:
                os.killpg(self._transport.get_pid(), number)
            except (ProcessLookupError, PermissionError):
                return


async def _wait(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event, but not longer than `seconds`; tell whether it came."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


def _give_way(pid: int, niceness: int) -> None:
    """Lower the priority of a group; one that has ended already, or may not, stays as it is.

    Where the kernel groups processes by session (sched_autogroup), niceness counts within a
    session only, and the session has its own in proc(5).
    """
    with suppress(OSError):
        os.setpriority(os.PRIO_PGRP, pid, niceness)
    with suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(niceness), encoding="ascii")

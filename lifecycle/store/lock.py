"""At most one run a cluster on this machine: `flock`, and a text that names the holder.

The kernel drops the lock when its process ends, however it ends, so a lock of a dead process
needs no taking over: it is free, and the stale text in the file is overwritten.
Across machines a Kubernetes Lease does the same once there is an API; that is not kept here.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import socket
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from lifecycle.errors import ClusterLockedError

__all__ = ["FileLock", "Holder", "read_holder"]

# `read_holder` takes the lock for an instant to see whether it is free; a run that begins just
# then must not be refused for it.
_TRIES = 5
_PAUSE_S = 0.02


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock; `since` is ISO 8601 in UTC, `run` is empty until the run has its id."""

    pid: int
    host: str
    user: str
    since: str
    run: str = ""

    def __str__(self) -> str:
        return f"process {self.pid} of {self.user} on {self.host}"


class FileLock:
    """An exclusive lock on a file, held from `acquire` to `release` or the process's end."""

    def __init__(self, path: Path, *, cluster: str, now: datetime) -> None:
        self._path = path
        self._cluster = cluster
        self._holder = Holder(os.getpid(), socket.gethostname(), _find_user(), _format_time(now))
        self._fd = -1

    def acquire(self, *, run: str = "") -> None:
        """Take the lock and write who holds it.

        Raises:
            ClusterLockedError: another process holds it.
        """
        # Python opens files close-on-exec, so no tool that a run starts inherits the lock.
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        if not _try_lock(fd):
            os.close(fd)
            raise self._describe_conflict()
        self._fd = fd
        self.name_run(run)

    def name_run(self, run: str) -> None:
        """Write the run's id beside the holder, for the one who is refused."""
        self._holder = Holder(
            self._holder.pid, self._holder.host, self._holder.user, self._holder.since, run
        )
        text = json.dumps(asdict(self._holder)).encode()
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, text, 0)

    def release(self) -> None:
        """Give the lock back; the file stays, since removing it would race with the next run."""
        if self._fd >= 0:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def _describe_conflict(self) -> ClusterLockedError:
        holder = _read_text(self._path)
        if holder is None:
            return ClusterLockedError(
                self._cluster,
                holder="a process that has not named itself",
                since="just now",
                hint="wait a moment and run the same command again",
            )
        return ClusterLockedError(
            self._cluster,
            holder=str(holder) + (f", run `{holder.run}`" if holder.run else ""),
            since=holder.since,
            hint=(
                "watch it with `invoke status`, or stop it at its next safe point with "
                f"`kill -INT {holder.pid}` on {holder.host}"
            ),
        )


def read_holder(path: Path) -> Holder | None:
    """Return who holds the lock right now, or None when nobody does."""
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_text(path) or Holder(0, "unknown", "unknown", "unknown")
    else:
        return None
    finally:
        os.close(fd)


def _try_lock(fd: int) -> bool:
    for attempt in range(_TRIES):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if attempt + 1 < _TRIES:
                time.sleep(_PAUSE_S)
        else:
            return True
    return False


def _read_text(path: Path) -> Holder | None:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return Holder(
            int(raw["pid"]), str(raw["host"]), str(raw["user"]), str(raw["since"]), str(raw["run"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _find_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a line in /etc/passwd
        return str(os.getuid())


def _format_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

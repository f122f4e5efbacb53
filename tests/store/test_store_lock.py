"""The lock: two processes, one cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lifecycle.errors import ClusterLockedError
from lifecycle.store import FileLock, read_holder

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)

HOLDS_UNTIL_KILLED = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from lifecycle.store import FileLock

lock = FileLock(Path(sys.argv[1]), cluster="home", now=datetime(2026, 11, 23, 1, 0, tzinfo=UTC))
lock.acquire(run="bootstrap-1")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def other_process(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock until it is ended."""
    argv = [sys.executable, "-c", HOLDS_UNTIL_KILLED, str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_second_process_is_refused_and_told_who(tmp_path: Path) -> None:
    """The error names process, user, host, run and time of the holder, and what to do."""
    path = tmp_path / "lock"
    with other_process(path) as holder, pytest.raises(ClusterLockedError) as caught:
        FileLock(path, cluster="home", now=NOW).acquire()

    assert f"process {holder.pid} of " in caught.value.message
    assert "run `bootstrap-1` since 2026-11-23T01:00:00Z" in caught.value.message
    assert f"kill -INT {holder.pid}" in caught.value.hint


def test_lock_of_a_dead_process_is_free(tmp_path: Path) -> None:
    """A holder that was killed holds nothing; its text is overwritten."""
    path = tmp_path / "lock"
    with other_process(path) as holder:
        holder.kill()
        holder.wait()
        with FileLock(path, cluster="home", now=NOW):
            found = read_holder(path)

    assert found is not None
    assert (os.getpid(), "2026-11-23T02:00:00Z") == (found.pid, found.since)


def test_holder_is_read_without_disturbing(tmp_path: Path) -> None:
    """Status sees who holds the lock, also the run's id once it has one."""
    path = tmp_path / "lock"
    before = read_holder(path)
    with FileLock(path, cluster="home", now=NOW) as lock:
        lock.name_run("bootstrap-2")
        during = read_holder(path)
    after = read_holder(path)

    assert (None, "bootstrap-2", None) == (before, during.run if during else "", after)


def test_unreadable_holder_text_is_still_a_lock(tmp_path: Path) -> None:
    """A holder that has not written its name yet is refused politely."""
    path = tmp_path / "lock"
    with other_process(path):
        path.write_text("{")
        with pytest.raises(ClusterLockedError, match="has not named itself"):
            FileLock(path, cluster="home", now=NOW).acquire()

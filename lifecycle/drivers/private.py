"""A folder for secrets in clear that does not outlive the process, however it dies."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

__all__ = ["PrivateFolder"]

_PREFIX = "talos-lifecycle-"
# Memory first: what was never on a disk needs no wiping, and a power cut takes it away.
_MEMORY_PLACES: Sequence[Path] = (Path("/dev/shm"),)  # noqa: S108 (0700 inside, and checked)


class PrivateFolder:
    """A folder of mode 0700, in memory where the system has such a place.

    A janitor process holds the other end of a pipe; when this process ends, also by SIGKILL, the
    pipe closes and the janitor removes the folder. Files of a janitor that was killed, too, are
    removed by the next run (`sweep`).
    """

    def __init__(self, path: Path, janitor: subprocess.Popen[bytes]) -> None:
        self.path = path
        self._janitor = janitor

    @classmethod
    def create(cls, environ: Mapping[str, str], fallback: Path) -> Self:
        """Make the folder; `fallback` is used where no memory file system is at hand."""
        base = _find_base(environ, fallback)
        sweep(base)
        path = base / f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        path.mkdir(mode=0o700)
        script = 'cat >/dev/null; rm -rf -- "$1"'
        janitor = subprocess.Popen(
            ["/bin/sh", "-c", script, "talos-lifecycle-janitor", str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C in the terminal is not for the janitor
        )
        return cls(path, janitor)

    def close(self) -> None:
        """Remove the folder now."""
        if self._janitor.stdin:
            self._janitor.stdin.close()
        self._janitor.wait()
        shutil.rmtree(self.path, ignore_errors=True)


def sweep(base: Path) -> None:
    """Remove folders of processes that are gone."""
    for folder in base.glob(f"{_PREFIX}*-*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        is_ours = folder.is_dir() and folder.stat().st_uid == os.getuid()
        if is_ours and pid.isdigit() and not _is_alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _find_base(environ: Mapping[str, str], fallback: Path) -> Path:
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    places = ([Path(runtime)] if runtime else []) + list(_MEMORY_PLACES)
    for place in places:
        if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
            return place
    fallback.mkdir(mode=0o700, parents=True, exist_ok=True)
    return fallback


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

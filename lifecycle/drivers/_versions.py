"""Versions that tools said earlier, so that seven programs need not start before each run."""

from __future__ import annotations

import json
from pathlib import Path

from lifecycle.drivers.documents import Json, as_object, parse_json, text_at
from lifecycle.drivers.files import write_private

__all__ = ["VersionCache"]


class VersionCache:
    """What each program file said, valid while the file has its size and time.

    Launchers of version managers (a script, or a link to a program of another name) are not
    kept: what they start can change without them.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = dict(as_object(_read(path)))
        self._changed = False

    def get(self, program: Path) -> str | None:
        """Return what the program said, None when it must be asked."""
        return text_at(self._known, _key(program)) or None

    def put(self, program: Path, said: str, *, is_script_stable: bool = False) -> None:
        """Keep what a program said; of scripts only where the caller knows what they start."""
        if is_script_stable or _is_program_itself(program):
            self._known[_key(program)] = said
            self._changed = True

    def save(self) -> None:
        """Write what is new; a cache that cannot be written costs time and nothing else."""
        if self._changed:
            try:
                write_private(self._path, json.dumps(self._known).encode())
            except OSError:
                return


def _read(path: Path) -> Json:
    try:
        return parse_json(path.read_bytes())
    except (OSError, ValueError):
        return None


def _key(program: Path) -> str:
    stat = program.stat()
    return f"{program}|{stat.st_size}|{stat.st_mtime_ns}"


def _is_program_itself(program: Path) -> bool:
    if not program.resolve().name.startswith(program.name):
        return False
    with program.open("rb") as file:
        return file.read(2) != b"#!"

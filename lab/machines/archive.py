"""Files packed as Talos streams them: a tar.gz of one file."""

from __future__ import annotations

import io
import tarfile
import time

__all__ = ["pack_file"]


def pack_file(name: str, data: bytes) -> bytes:
    """Pack one file, readable by its owner only."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode, entry.mtime = len(data), 0o600, int(time.time())
        archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()

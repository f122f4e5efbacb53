"""Where sockets of a lab lie."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

__all__ = ["choose_socket"]

_LONGEST = 107  # sun_path of unix(7), without its final zero


def choose_socket(folder: Path, name: str) -> Path:
    """Return where a socket lies: in the folder, unless its path would be too long there."""
    wanted = folder / name
    if len(os.fsencode(wanted)) <= _LONGEST:
        return wanted
    return Path(tempfile.mkdtemp(prefix="talos-lab-", dir="/tmp")) / name

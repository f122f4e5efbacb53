"""Where sockets of a lab lie, and how they end."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import tempfile
from pathlib import Path

__all__ = ["choose_socket", "reset_at_close"]

_RESET_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST
_LONGEST = 107  # sun_path of unix(7), without its final zero


def choose_socket(folder: Path, name: str) -> Path:
    """Return where a socket lies: in the folder, unless its path would be too long there."""
    wanted = folder / name
    if len(os.fsencode(wanted)) <= _LONGEST:
        return wanted
    return Path(tempfile.mkdtemp(prefix="talos-lab-", dir="/tmp")) / name


def reset_at_close(transport: asyncio.BaseTransport) -> None:
    """Have a connection end with a reset when it is closed, whatever has not left yet."""
    own = transport.get_extra_info("socket")
    if own is not None:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_ONCE)

"""Loopback addresses for declared ones."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence

__all__ = ["assign_loopbacks"]

TALOS_PORT = 50000
KUBERNETES_PORT = 6443
_SHIFTS = 200  # labs that can stand side by side for repositories with the same addresses


def assign_loopbacks(declared: Sequence[str]) -> Mapping[str, str]:
    """Map each declared address to a loopback address on which the lab's ports are free.

    10.41.0.11 becomes 127.41.0.11; when another lab listens there, the whole set moves on.

    Raises:
        OSError: no set is free.
    """
    for shift in range(_SHIFTS):
        mapping = {address: _shift(address, shift, index) for index, address in enumerate(declared)}
        is_distinct = len(set(mapping.values())) == len(mapping)
        if is_distinct and all(_is_free(address) for address in mapping.values()):
            return mapping
    raise OSError(f"no free loopback addresses for {', '.join(declared)}")


def _shift(address: str, shift: int, index: int) -> str:
    parts = address.split(".")
    octets = [int(part) for part in parts] if len(parts) == 4 else [0, 0, 0, index + 2]  # noqa: PLR2004 (IPv4)
    second = (octets[1] + shift) % 256
    return f"127.{second}.{octets[2]}.{octets[3]}"


def _is_free(address: str) -> bool:
    for port in (TALOS_PORT, KUBERNETES_PORT):
        with socket.socket() as probe:
            # What asyncio's servers set, too: a port in TIME_WAIT counts as free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True

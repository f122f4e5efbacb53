"""Loopback addresses for declared ones, reserved so that two labs never take the same."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lab.network import Bind, bind

__all__ = ["Addresses", "reserve_loopbacks"]

# What the lab listens on, and a port that only says "taken": it is held from the first moment
# to the end, while the others come and go with their machines.
_PORTS = (50000, 6443)
_RESERVATION_PORT = 49999
_SHIFTS = 200  # labs that can stand side by side for repositories with the same addresses
_IPV4_OCTETS = 4


@dataclass(slots=True)
class Addresses:
    """Declared addresses and where the lab listens for them; `close` gives them back.

    They are loopback addresses unless somebody else has others, and a way to bind to them.
    """

    loopback: Mapping[str, str]
    bind: Bind = bind
    _held: list[socket.socket] = field(default_factory=list)

    def close(self) -> None:
        """Let other labs have the addresses."""
        for reservation in self._held:
            reservation.close()


def reserve_loopbacks(declared: Sequence[str], more_ports: Sequence[int] = ()) -> Addresses:
    """Map each declared address to a loopback address on which the lab's ports are free.

    10.41.0.11 becomes 127.41.0.11; when another lab listens there, the whole set moves on.
    `more_ports` must be free beside those that every lab listens on.

    Raises:
        OSError: no set is free.
    """
    for shift in range(_SHIFTS):
        mapping = {address: _shift(address, shift, index) for index, address in enumerate(declared)}
        if len(set(mapping.values())) < len(mapping):
            continue
        held = _reserve([*mapping.values()], (*_PORTS, *more_ports))
        if held is not None:
            return Addresses(mapping, _held=held)
    raise OSError(f"no free loopback addresses for {', '.join(declared)}")


def _shift(address: str, shift: int, index: int) -> str:
    parts = address.split(".")
    is_ipv4 = len(parts) == _IPV4_OCTETS
    octets = [int(part) for part in parts] if is_ipv4 else [0, 0, 0, index + 2]
    second = (octets[1] + shift) % 256
    return f"127.{second}.{octets[2]}.{octets[3]}"


def _reserve(addresses: Sequence[str], ports: Sequence[int]) -> list[socket.socket] | None:
    """Hold all of the addresses, or none."""
    held: list[socket.socket] = []
    try:
        for address in addresses:
            held.append(_bind(address, _RESERVATION_PORT))
            for port in ports:
                _bind(address, port).close()
    except OSError:
        for reservation in held:
            reservation.close()
        return None
    return held


def _bind(address: str, port: int) -> socket.socket:
    """Bind without listening, as asyncio's servers do: a port in TIME_WAIT counts as free."""
    probe = socket.socket()
    try:
        if port != _RESERVATION_PORT:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((address, port))
    except OSError:
        probe.close()
        raise
    return probe

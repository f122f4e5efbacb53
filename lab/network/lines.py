"""All lines of one lab, by address."""

from __future__ import annotations

from lab.clock import LabClock
from lab.network.line import Line
from lab.network.port import Bind, bind

__all__ = ["Lines"]


class Lines:
    """Makes the line of an address when it is first asked for.

    Args:
        clock: simulated time.
        make: makes the sockets that listen; on addresses of this machine, unless told otherwise.
        ports: what a partitioned address is silent on, served or not.
    """

    def __init__(
        self, clock: LabClock, make: Bind = bind, ports: tuple[int, ...] = (50000, 6443)
    ) -> None:
        self._clock = clock
        self._bind = make
        self._ports = ports
        self._lines: dict[str, Line] = {}

    def __getitem__(self, host: str) -> Line:
        if host not in self._lines:
            self._lines[host] = Line(host, self._clock, self._bind, self._ports)
        return self._lines[host]

    def find(self, host: str) -> Line | None:
        """Return the line of an address, if anybody asked for it yet."""
        return self._lines.get(host)

    def close(self) -> None:
        """End every line."""
        for line in self._lines.values():
            line.close()

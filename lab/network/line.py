"""The line of one address: which ports are served, and how the line is."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass

from lab.clock import LabClock
from lab.network.condition import FLAP_DOWN_S, FLAP_UP_S, Condition, LineFault, judge
from lab.network.port import Bind, Port
from lab.network.wire import Wire

__all__ = ["Factory", "Line", "Served"]

Factory = Callable[[], asyncio.BufferedProtocol]


@dataclass(frozen=True, slots=True)
class Served:
    """A port that is served, until it is closed."""

    line: Line
    port: int

    def close(self) -> None:
        """Listen no more; connections stay."""
        self.line.end(self.port)


class Line:
    """One address of the lab: its ports, its connections, its faults.

    Args:
        host: the address.
        clock: simulated time, in which delays are counted.
        bind: makes a socket that is bound to an address and a port.
        ports: those on which it is silent while it is partitioned, whoever serves them or not.
    """

    def __init__(self, host: str, clock: LabClock, bind: Bind, ports: tuple[int, ...] = ()) -> None:
        self.host = host
        self.condition = Condition()
        self.clock = clock
        self._ports = {port: Port(host, port, bind, self._accept) for port in ports}
        self._bind = bind
        self._factories: dict[int, Factory] = {}
        self._wires: set[Wire] = set()
        self._accepting: set[asyncio.Task[object]] = set()
        self._faults: set[LineFault] = set()
        self._flapping: asyncio.Task[None] | None = None
        self._is_down = False
        self._carrier: Line | None = None
        self.carried: set[Line] = set()  # lines that follow this one

    @property
    def speed(self) -> float:
        """Simulated seconds a second."""
        return self.clock.speed

    @property
    def is_cut_off(self) -> bool:
        """Tell whether nothing passes for longer than a moment."""
        return bool(self._faults & {LineFault.PARTITIONED, LineFault.CUT})

    def serve(self, port: int, factory: Factory) -> Served:
        """Listen on a port; each connection gets a protocol of the factory.

        Raises:
            OSError: somebody else listens there; the message names the address.
        """
        if port not in self._ports:
            self._ports[port] = Port(self.host, port, self._bind, self._accept)
        self._factories[port] = factory
        try:
            self._settle_port(port)
        except OSError as error:
            del self._factories[port]
            why = os.strerror(error.errno) if error.errno else str(error)
            message = f"address cannot be listened on: `{self.host}:{port}`: {why.lower()}"
            raise OSError(error.errno, message) from error
        return Served(self, port)

    def end(self, port: int) -> None:
        """Serve a port no more."""
        self._factories.pop(port, None)
        self._settle_port(port)

    def forget(self, wire: Wire) -> None:
        """Hear that a connection is no more."""
        self._wires.discard(wire)

    def set_fault(self, fault: LineFault, *, on: bool = True) -> None:
        """Turn a fault on or off."""
        if on:
            self._faults.add(fault)
        else:
            self._faults.discard(fault)
        flaps = LineFault.FLAPPING in self._faults
        if flaps and self._flapping is None:
            self._flapping = asyncio.get_running_loop().create_task(self._flap())
        elif not flaps and self._flapping is not None:
            self._flapping.cancel()
            self._flapping, self._is_down = None, False
        self.settle()

    def follow(self, carrier: Line) -> None:
        """Be as another line is, from now on: a machine answers for this address, too."""
        self.leave()
        self._carrier = carrier
        carrier.carried.add(self)
        self.settle()

    def leave(self) -> None:
        """Follow no line any more."""
        if self._carrier is not None:
            self._carrier.carried.discard(self)
        self._carrier = None

    def renew(self) -> None:
        """Begin anew where the address is now: what it was on has gone, and is there again."""
        for wire in tuple(self._wires):
            wire.sever()
        for port in self._ports.values():
            port.close()
        self.settle()

    def close(self) -> None:
        """End it all: no fault, no port, no connection."""
        self._factories.clear()
        for fault in tuple(self._faults):
            self.set_fault(fault, on=False)
        self.settle()
        for wire in tuple(self._wires):
            wire.sever()

    async def _flap(self) -> None:
        while True:
            self._is_down = not self._is_down
            self.settle()
            await self.clock.pause(FLAP_DOWN_S if self._is_down else FLAP_UP_S)

    def settle(self) -> None:
        """Follow what the faults make of it, or the line that it follows."""
        own = judge(self._faults, is_down=self._is_down)
        self.condition = self._carrier.condition if self._carrier else own
        for port in self._ports:
            self._settle_port(port)
        for wire in tuple(self._wires):
            if self.condition.is_cut:
                wire.sever()
            wire.settle()
        for carried in self.carried:
            carried.settle()

    def _settle_port(self, number: int) -> None:
        port = self._ports[number]
        if self.condition.is_silent:
            # A program of its own may be behind a port that nobody serves here.
            with suppress(OSError) if number not in self._factories else nullcontext():
                port.mute()
        elif number in self._factories and not self.condition.is_cut:
            port.listen()
        else:
            port.close()

    def _accept(self, number: int, connection: socket.socket) -> None:
        factory = self._factories.get(number)
        if factory is None:
            connection.close()
            return
        loop = asyncio.get_running_loop()
        joining = loop.create_task(self._join(factory, connection))
        self._accepting.add(joining)
        joining.add_done_callback(self._accepting.discard)

    async def _join(self, factory: Factory, connection: socket.socket) -> None:
        wire = Wire(factory(), self)
        self._wires.add(wire)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: wire, connection)
        except OSError:  # whoever connected has gone
            self._wires.discard(wire)
            connection.close()

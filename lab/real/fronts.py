"""The fronts of a cluster's API servers, who holds the VIP, and what faults make of them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine

from lab.clock import LabClock
from lab.kubernetes.ailing import ApiFault, ApiFaults, Health
from lab.network import Lines
from lab.ports import KubernetesPki, NodeFacts
from lab.real.etcd import RealEtcd
from lab.real.front import Front

__all__ = ["Fronts"]

# What the programs themselves can be made to suffer; the rest stands in front of them.
_REALLY = {ApiFault.ETCD_TIMEOUT, ApiFault.AGGREGATED_DOWN}
_Act = Callable[[], Coroutine[None, None, None]]


class Fronts:
    """One for each API server that is ready, by the names of their control planes."""

    def __init__(self, clock: LabClock, lines: Lines, port: int, etcd: RealEtcd | None) -> None:
        self._clock = clock
        self._lines = lines
        self._port = port
        self._etcd = etcd
        self._fronts: dict[str, Front] = {}
        self._vips: dict[str, str] = {}  # of each that could hold one
        self._unheard: set[str] = set()  # control planes that may not hold a VIP
        self.faults = ApiFaults(clock)
        self.faults.listen(self._settle_faults)

    def __contains__(self, name: str) -> bool:
        return name in self._fronts

    async def open(self, node: NodeFacts, pki: KubernetesPki, end: _Act, start: _Act) -> None:
        """Let clients reach an API server, and faults strike it: `end` it, `start` it again."""
        name = node.name
        front = Front(self._lines, node, self._port, pki, Health(self._clock))
        await front.open()
        self._fronts[name], self._vips[name] = front, node.vip_loopback

        async def hush() -> None:
            front.hush()
            await end()

        async def resume() -> None:
            await start()
            if self._fronts.get(name) is front:
                front.resume()

        self.faults.add(name, front.health, hush, resume)

    async def close(self, name: str) -> None:
        """Let nobody reach one any more."""
        await self.faults.remove(name)
        self._unheard.discard(name)
        if front := self._fronts.pop(name, None):
            await front.close()

    def hush(self, name: str) -> None:
        """Hear that the process of one has ended."""
        self._fronts[name].hush()

    def resume(self, name: str) -> None:
        """Hear that it is ready again."""
        self._fronts[name].resume()

    def offer_vip(self, name: str, *, can_hold: bool) -> None:
        """Let one hold its VIP or not."""
        if can_hold:
            self._unheard.discard(name)
        else:
            self._unheard.add(name)
            if front := self._fronts.get(name):
                front.leave_vip()
        self.settle_vip()

    def settle_vip(self) -> None:
        """Have one control plane of each VIP hold it."""
        held = {front.vip for front in self._fronts.values()}
        for name, front in self._fronts.items():
            address = self._vips[name]
            if address and address not in held and name not in self._unheard:
                held.add(address)
                front.take_vip()

    def _settle_faults(self) -> None:
        """Have answers suffer in front of a server, and its etcd stand still."""
        for name, front in self._fronts.items():
            faults = self.faults.list_on(name)
            front.set_ailing(is_ailing=bool(faults - _REALLY))
            if self._etcd is not None:
                self._etcd.suspend(name, on=ApiFault.ETCD_TIMEOUT in faults)

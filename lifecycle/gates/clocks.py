"""Gate: no machine's clock and this computer's contradict each other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from inventory import Node
from lifecycle.drivers.ports import read_certificate_begin
from lifecycle.drivers.talosctl import TalosctlError
from lifecycle.engine import Answer, Blocked, Satisfied
from lifecycle.world import World

__all__ = ["ClocksAgree"]

_TALOS_PORT = 50000
_TOLERATED = timedelta(minutes=2)  # of a clock that nobody has set since it was built in, weeks


@dataclass(frozen=True, slots=True)
class ClocksAgree:
    """Certificates made here and there are worthless where the clocks are far apart.

    A machine makes the certificate of maintenance mode when it boots, so one that begins in the
    future shows a clock ahead of this computer's. That a machine follows no time server yet is
    said and tolerated: where only its own config names a server that it can reach, it follows
    none before it has that config, and Talos waits for it afterwards.
    """

    world: World
    after: tuple[str, ...] = ()
    name: str = "clocks-agree"
    title: str = "Check that clocks agree"

    async def probe(self) -> Answer:
        """Look at each machine that has not been given its config yet; silence is not judged."""
        world = self.world
        nodes = [node for node in world.talos.nodes if not world.was_given_config(node)]
        begins = await asyncio.gather(*(self._read_begin(node) for node in nodes))
        now = datetime.now(UTC)
        for node, begin in zip(nodes, begins, strict=True):
            if begin is not None and begin - now > _TOLERATED:
                return _refuse(node, begin, now)
        synced = await asyncio.gather(*(self._is_synced(node) for node in nodes))
        late = [
            node.hostname for node, is_synced in zip(nodes, synced, strict=True) if not is_synced
        ]
        if late:
            return Satisfied(f"no contradiction; follows no time server yet: {', '.join(late)}")
        return Satisfied("no contradiction")

    async def _read_begin(self, node: Node) -> datetime | None:
        return await read_certificate_begin(self.world.addresses.dial(node.address), _TALOS_PORT)

    async def _is_synced(self, node: Node) -> bool:
        try:
            return await self.world.talosctl.is_time_synced(node.address, insecure=True)
        except TalosctlError:
            return True  # who does not answer, or not to anybody, is recognised elsewhere


def _refuse(node: Node, begin: datetime, now: datetime) -> Blocked:
    return Blocked(
        f"clocks contradict each other: {node.hostname} made its certificate at "
        f"{begin:%Y-%m-%d %H:%M} UTC, and here it is {now:%Y-%m-%d %H:%M}",
        "compare `date -u` with a clock that you trust; if this computer is right, set the "
        f"machine's clock in its firmware, or let {node.address} reach a time server",
    )

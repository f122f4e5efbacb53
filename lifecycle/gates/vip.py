"""Gate: the VIP is free, or this cluster's own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from lifecycle.drivers.ports import is_listening, is_signed_by
from lifecycle.engine import Answer, Blocked, Satisfied
from lifecycle.world import World

__all__ = ["VipIsFree"]

_KUBERNETES_PORT, _TALOS_PORT = 6443, 50000


@dataclass(frozen=True, slots=True)
class VipIsFree:
    """Nothing answers on the address that the control planes are going to share."""

    world: World
    after: tuple[str, ...] = ()
    name: str = "vip-is-free"
    title: str = "Check that the VIP is free"

    async def probe(self) -> Answer:
        """Dial the VIP; what answers must be signed by this cluster's CA."""
        vip = self.world.talos.vip
        if not vip:
            return Satisfied("no VIP declared")
        address = self.world.addresses.dial(vip)
        ports = (_KUBERNETES_PORT, _TALOS_PORT)
        answers = await asyncio.gather(*(is_listening(address, port) for port in ports))
        if not any(answers):
            return Satisfied(f"nothing answers on {vip}")
        if answers[0] and await self._is_ours(address):
            return Satisfied(f"{vip} is held by this cluster")
        port = ports[answers.index(True)]
        return Blocked(
            f"VIP is taken: something that is not this cluster answers on `{vip}:{port}`",
            f"turn it off, or choose another VIP in {self.world.inventory.variables.path}",
        )

    async def _is_ours(self, address: str) -> bool:
        """Tell whether the API server there is signed by the CA in the repository.

        A kubeconfig proves nothing here: a run that was cut off may not have fetched one yet.
        """
        ca = self.world.repository.kubernetes_ca
        return bool(ca) and await is_signed_by(ca, address, _KUBERNETES_PORT)

"""Gate: the VIP is free, or this cluster's own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from lifecycle.drivers.ports import Signature, is_listening, read_signature
from lifecycle.engine import Answer, Blocked, Patience, Satisfied, Unknown
from lifecycle.world import World

__all__ = ["VipIsFree"]


@dataclass(frozen=True, slots=True)
class VipIsFree:
    """Nothing answers on the address that the control planes are going to share."""

    world: World
    after: tuple[str, ...] = ()
    name: str = "vip-is-free"
    title: str = "Check that the VIP is free"
    # Our own servers end connections while they start; of others nothing more will be seen.
    patience: Patience = Patience(stall=timedelta(minutes=1), deadline=timedelta(minutes=1))

    async def probe(self) -> Answer:
        """Dial the VIP; one of the ports that answer must be signed by this cluster's CA of it.

        A kubeconfig proves nothing here: a run that was cut off may not have fetched one yet.
        """
        vip = self.world.talos.vip
        if not vip:
            return Satisfied("no VIP declared")
        address, repository = self.world.addresses.dial(vip), self.world.repository
        authorities = {6443: repository.kubernetes_ca, 50000: repository.talos_ca}
        answers = await asyncio.gather(*(is_listening(address, port) for port in authorities))
        open_ports = [port for port, answer in zip(authorities, answers, strict=True) if answer]
        if not open_ports:
            return Satisfied(f"nothing answers on {vip}")
        signatures = await asyncio.gather(
            *(read_signature(authorities[port], address, port) for port in open_ports)
        )
        if Signature.OURS in signatures:
            return Satisfied(f"{vip} is held by this cluster")
        if Signature.UNSEEN in signatures:
            port = open_ports[signatures.index(Signature.UNSEEN)]
            return Unknown(f"`{vip}:{port}` ends connections before it shows a certificate")
        return Blocked(
            f"VIP is taken: something that is not this cluster answers on `{vip}:{open_ports[0]}`",
            f"turn it off, or choose another VIP in {self.world.inventory.variables.path}",
        )

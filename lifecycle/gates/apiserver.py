"""Gate: every API server is ready."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from lifecycle.engine import Answer, Needed, Patience, Satisfied
from lifecycle.errors import ApiError, UnauthorizedError
from lifecycle.world import World

__all__ = ["ApiServersAreReady"]


@dataclass(frozen=True, slots=True)
class ApiServersAreReady:
    """`/readyz` answers on every control plane's own address, not only behind the VIP."""

    world: World
    after: tuple[str, ...] = ()
    name: str = "api-servers-are-ready"
    title: str = "Wait for the API server on every control plane"
    patience: Patience = Patience(stall=timedelta(minutes=10), deadline=timedelta(minutes=30))

    @property
    def hint(self) -> str:
        """What to look at when a server stays away."""
        nodes = ",".join(node.address for node in self.world.talos.control_planes)
        return f"look at: talosctl -n {nodes} service kubelet; talosctl -n {nodes} containers -k"

    async def probe(self) -> Answer:
        """Ask each one."""
        nodes = self.world.talos.control_planes
        problems = await asyncio.gather(*(self._ask(node.address) for node in nodes))
        waiting = [
            f"{node.hostname}: {problem}"
            for node, problem in zip(nodes, problems, strict=True)
            if problem
        ]
        ready = len(nodes) - len(waiting)
        if waiting:
            return Needed(f"{ready} of {len(nodes)} ready; {'; '.join(waiting)}")
        return Satisfied(f"{ready} of {len(nodes)} ready")

    async def _ask(self, address: str) -> str:
        try:
            await self.world.access.readyz(address)
        except UnauthorizedError:
            raise
        except ApiError as error:
            return error.message
        return ""

"""Gate: every declared machine's kubelet has registered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lifecycle.engine import Answer, Patience
from lifecycle.world import World
from lifecycle.world.declared_nodes import judge_nodes, list_nodes

__all__ = ["NodesAreRegistered"]


@dataclass(frozen=True, slots=True)
class NodesAreRegistered:
    """Every declared machine's kubelet has registered its Node; Ready needs the CNI first."""

    world: World
    after: tuple[str, ...] = ()
    name: str = "nodes-are-registered"
    title: str = "Wait for every node to register"
    patience: Patience = Patience(stall=timedelta(minutes=10), deadline=timedelta(minutes=30))

    async def probe(self) -> Answer:
        """List the nodes."""
        live = await list_nodes(self.world, self.name)
        return judge_nodes(self.world, dict.fromkeys(live, ""), "registered")

    async def wait_for_news(self) -> None:
        """Return when the API has something new."""
        await self.world.access.mirror.wait_for_news(self.name)

"""Gate: every declared node is there and Ready."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lifecycle.drivers.kubernetes import KubernetesObject
from lifecycle.engine import Answer, Patience
from lifecycle.world import World
from lifecycle.world.declared_nodes import judge_nodes, list_nodes

__all__ = ["NodesAreReady"]


@dataclass(frozen=True, slots=True)
class NodesAreReady:
    """The kubelet says Ready, which the CNI decides."""

    world: World
    after: tuple[str, ...] = ()
    name: str = "nodes-are-ready"
    title: str = "Wait for every node to be Ready"
    patience: Patience = Patience(stall=timedelta(minutes=10), deadline=timedelta(minutes=30))

    async def probe(self) -> Answer:
        """List the nodes and read their Ready conditions."""
        live = await list_nodes(self.world, self.name)
        problems = {name: _why_unready(node) for name, node in live.items()}
        return judge_nodes(self.world, problems, "Ready")

    async def wait_for_news(self) -> None:
        """Return when the API has something new."""
        await self.world.access.mirror.wait_for_news(self.name)


def _why_unready(node: KubernetesObject) -> str:
    for condition in node.conditions():
        if condition.type == "Ready":
            return "" if condition.is_true else condition.message or condition.reason
    return "says nothing yet"

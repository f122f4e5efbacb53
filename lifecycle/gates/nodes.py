"""Gate: every declared node is there and Ready."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lifecycle.drivers.kubernetes import KubernetesObject
from lifecycle.engine import Answer, Needed, Patience, Satisfied
from lifecycle.world import World

__all__ = ["NodesAreReady", "NodesAreRegistered"]

_PATIENCE = Patience(stall=timedelta(minutes=10), deadline=timedelta(minutes=30))


@dataclass(frozen=True, slots=True)
class NodesAreRegistered:
    """Every declared machine's kubelet has registered its Node; Ready needs the CNI first."""

    world: World
    after: tuple[str, ...] = ()
    name: str = "nodes-are-registered"
    title: str = "Wait for every node to register"
    patience: Patience = _PATIENCE

    async def probe(self) -> Answer:
        """List the nodes."""
        live = await _list_nodes(self.world, self.name)
        return _judge(self.world, dict.fromkeys(live, ""), "registered")

    async def wait_for_news(self) -> None:
        """Return when the API has something new."""
        await self.world.access.mirror.wait_for_news(self.name)


@dataclass(frozen=True, slots=True)
class NodesAreReady:
    """The kubelet says Ready, which the CNI decides."""

    world: World
    after: tuple[str, ...] = ()
    name: str = "nodes-are-ready"
    title: str = "Wait for every node to be Ready"
    patience: Patience = _PATIENCE

    async def probe(self) -> Answer:
        """List the nodes and read their Ready conditions."""
        live = await _list_nodes(self.world, self.name)
        return _judge(
            self.world, {name: _why_unready(node) for name, node in live.items()}, "Ready"
        )

    async def wait_for_news(self) -> None:
        """Return when the API has something new."""
        await self.world.access.mirror.wait_for_news(self.name)


async def _list_nodes(world: World, asker: str) -> dict[str, KubernetesObject]:
    world.access.mirror.note_look(asker)
    return {node.name: node for node in await world.access.mirror.list("v1", "Node")}


def _judge(world: World, problems: dict[str, str], wish: str) -> Answer:
    declared = [node.hostname for node in world.talos.nodes]
    waiting = [
        f"{name}: {problems.get(name, 'not there')}"
        for name in declared
        if problems.get(name, "not there")
    ]
    good = len(declared) - len(waiting)
    if waiting:
        return Needed(f"{good} of {len(declared)} {wish}; {'; '.join(waiting)}")
    return Satisfied(f"{good} of {len(declared)} {wish}")


def _why_unready(node: KubernetesObject) -> str:
    for condition in node.conditions():
        if condition.type == "Ready":
            return "" if condition.is_true else condition.message or condition.reason
    return "says nothing yet"

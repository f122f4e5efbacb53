"""The declared nodes as the cluster knows them."""

from __future__ import annotations

from collections.abc import Mapping

from lifecycle.drivers.kubernetes import KubernetesObject
from lifecycle.engine import Answer, Needed, Satisfied
from lifecycle.world.bundle import World

__all__ = ["judge_nodes", "list_nodes"]


async def list_nodes(world: World, asker: str) -> Mapping[str, KubernetesObject]:
    """Return the cluster's nodes by name; `asker` hears of what changes after this look."""
    world.access.mirror.note_look(asker)
    return {node.name: node for node in await world.access.mirror.list("v1", "Node")}


def judge_nodes(world: World, problems: Mapping[str, str], wish: str) -> Answer:
    """Say how many declared nodes are as wished; `problems` of those that are there, or empty."""
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

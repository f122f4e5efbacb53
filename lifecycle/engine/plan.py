"""A plan: steps and gates in order, each with what its probe says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from lifecycle.engine.answers import Answer, Blocked, Satisfied, Unknown
from lifecycle.engine.step import Node, Step
from lifecycle.errors import DriverError, LifecycleError, PlanError

__all__ = ["Plan", "PlannedNode", "make_plan", "probe_node", "probe_plan"]

_PROBES_AT_ONCE = 8  # arbitrary: enough to hide a slow node, few enough for a small machine


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run walks through: `nodes` in an order that respects every `after`.

    `lanes` limits how many steps of a lane run at the same time; `groups` names the part of the
    run to which each node belongs, for people.
    """

    kind: str
    cluster: str
    nodes: tuple[Node, ...]
    lanes: Mapping[str, int] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlannedNode:
    """A step or gate and what its probe said, for the plan table."""

    node: Node
    answer: Answer

    @property
    def is_step(self) -> bool:
        """Tell a step, which changes something, from a gate, which only waits."""
        return isinstance(self.node, Step)

    @property
    def is_to_do(self) -> bool:
        """Tell whether a run would do or wait for something here."""
        return not isinstance(self.answer, Satisfied)


def make_plan(
    kind: str,
    cluster: str,
    nodes: Sequence[Node],
    *,
    lanes: Mapping[str, int] | None = None,
    groups: Mapping[str, str] | None = None,
) -> Plan:
    """Put `nodes` in order.

    Raises:
        PlanError: two nodes share a name, one comes after a node that is not in the plan, or
            they wait for each other in a circle (the message names the chain).
    """
    by_name = {node.name: node for node in nodes}
    if len(by_name) != len(nodes):
        names = [node.name for node in nodes]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise PlanError(f"plan has two steps of one name: `{', '.join(twice)}`")
    for node in nodes:
        for name in node.after:
            if name not in by_name:
                raise PlanError(f"step comes after something unknown: `{node.name}` after `{name}`")
    order = _sort_stably(nodes)
    return Plan(kind, cluster, tuple(by_name[name] for name in order), lanes or {}, groups or {})


def _sort_stably(nodes: Sequence[Node]) -> list[str]:
    """Sort topologically; where the graph leaves a choice, keep the order given."""
    place = {node.name: index for index, node in enumerate(nodes)}
    sorter = TopologicalSorter({node.name: node.after for node in nodes})
    try:
        sorter.prepare()
    except CycleError as error:
        chain = " -> ".join(error.args[1])
        raise PlanError(f"steps wait for each other: `{chain}`") from error
    order: list[str] = []
    ready: list[str] = []
    while sorter.is_active():
        ready.extend(sorter.get_ready())
        ready.sort(key=lambda name: place[name])
        name = ready.pop(0)
        order.append(name)
        sorter.done(name)
    return order


async def probe_node(node: Node) -> Answer:
    """Probe once; a door that does not answer makes the world unknown, not the run broken.

    Any other error of ours means that the answer is known and bad: `Blocked`.
    """
    try:
        return await node.probe()
    except DriverError as error:
        return Unknown(error.message)
    except LifecycleError as error:
        return Blocked(error.message, error.hint)


async def probe_plan(plan: Plan) -> tuple[PlannedNode, ...]:
    """Probe every node of the plan, changing nothing: the dry run."""
    limit = asyncio.Semaphore(_PROBES_AT_ONCE)

    async def look(node: Node) -> PlannedNode:
        async with limit:
            return PlannedNode(node, await probe_node(node))

    return tuple(await asyncio.gather(*(look(node) for node in plan.nodes)))

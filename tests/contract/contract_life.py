"""One life of the sample's lab, seen through its steps and gates: fresh, first run, second run."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, cast

from lifecycle.cli.lab import find_lab_folder, stop_lab
from lifecycle.cli.place import Site, open_site
from lifecycle.cli.rehearsing.killing import guard_node
from lifecycle.cli.requests import ClusterRequest, LabRequest
from lifecycle.cli.wiring import Inputs, Prepared
from lifecycle.cli.worlds import prepare_bootstrap
from lifecycle.drivers.documents import JsonObject
from lifecycle.engine import (
    Answer,
    Event,
    EventName,
    Node,
    Plan,
    Runner,
    RunState,
    Satisfied,
    Step,
    probe_node,
)
from lifecycle.errors import NotFoundError, TransientError
from lifecycle.secrets import Redactor
from lifecycle.store import ClusterState, SqliteJournal
from lifecycle.world import World
from tests.lab_life import read_acts

__all__ = ["Account", "Story", "live"]

_SPEED = 60.0


@dataclass(slots=True)
class Account:
    """What one step or gate said and did.

    Attributes:
        fresh: What its probe says while nothing was done yet.
        changed_by_probe: What that first probe changed: acts of the lab, files of ours.
        answers: Its answers in the first run, in order.
        acts: How often it acted in the first run.
        answer_before: The answer that led to the first act.
        refusal: How the world refused a second act; empty when it took it.
        written: Paths of the objects that it changed.
        after_first, after_repeat: Those objects after its act, and after the same act again.
        answers_again, acts_again: The same for the second run.
        settled, settled_again: Those objects before and after the second run.
    """

    fresh: Answer
    changed_by_probe: Sequence[str]
    answers: list[Answer] = field(default_factory=list)
    acts: int = 0
    answer_before: Answer | None = None
    refusal: str = ""
    written: set[str] = field(default_factory=set)
    after_first: Mapping[str, JsonObject] = field(default_factory=dict)
    after_repeat: Mapping[str, JsonObject] = field(default_factory=dict)
    answers_again: list[Answer] = field(default_factory=list)
    acts_again: int = 0
    settled: Mapping[str, JsonObject] = field(default_factory=dict)
    settled_again: Mapping[str, JsonObject] = field(default_factory=dict)


@dataclass(slots=True)
class Story:
    """The whole life: an account of each step and gate, and what the lab counted when."""

    plan: Sequence[tuple[str, str]]  # `step` or `gate`, and the name
    nodes: Sequence[type]
    accounts: Mapping[str, Account]
    acts_first: Mapping[str, int]
    acts_second: Mapping[str, int]


class _HasWorld(Protocol):
    """What every step and gate of ours has besides the engine's demands."""

    world: World


def live(folder: Path) -> Story:
    """Live through it; everything is below `folder` but the caches of charts and tools."""
    state = ClusterState(folder / "state" / "lab" / "sample")
    state.create()
    site = open_site(state, ClusterRequest(None, "", LabRequest(_SPEED)))
    try:
        return asyncio.run(_live_on(site))
    finally:
        stop_lab(state)


async def _live_on(site: Site) -> Story:
    accounts: dict[str, Account] = {}
    async with _prepare(site, defaultdict(set)) as prepared:
        nodes = prepared.plan.nodes
        for node in nodes:
            before = _list_traces(site.state)
            answer = await probe_node(node)
            accounts[node.name] = Account(answer, sorted(_list_traces(site.state) - before))
    await _run_first(site, accounts)
    acts_first = read_acts(site.state)
    await _run_second(site, accounts)
    return Story(
        [("step" if isinstance(node, Step) else "gate", node.name) for node in nodes],
        [type(node) for node in nodes],
        accounts,
        acts_first,
        read_acts(site.state),
    )


async def _run_first(site: Site, accounts: Mapping[str, Account]) -> None:
    writes: dict[str, set[str]] = defaultdict(set)
    async with _prepare(site, writes) as prepared:
        nodes = tuple(_witness(n, accounts[n.name], writes) for n in prepared.plan.nodes)
        await _walk(site, prepared, nodes)
    for name, paths in writes.items():
        accounts[name].written = set(paths)


async def _run_second(site: Site, accounts: Mapping[str, Account]) -> None:
    writes: dict[str, set[str]] = defaultdict(set)
    async with _prepare(site, writes) as prepared:
        world = cast("_HasWorld", prepared.plan.nodes[0]).world
        for account in accounts.values():
            account.settled = await _read_objects(world, account.written)
        nodes = tuple(_witness_again(n, accounts[n.name]) for n in prepared.plan.nodes)
        await _walk(site, prepared, nodes)
        for account in accounts.values():
            account.settled_again = await _read_objects(world, account.written)


@asynccontextmanager
async def _prepare(site: Site, writes: dict[str, set[str]]) -> AsyncIterator[Prepared]:
    """Prepare a run that notes which paths each step or gate writes to."""

    def hear(event: Event) -> None:
        if event.name is EventName.API_REQUESTED:
            writes[event.step].add(str(event.fields["argv"]).partition(" ")[2])

    async with prepare_bootstrap(
        Inputs(site, frozenset(), frozenset(), Redactor(), hear)
    ) as prepared:
        yield prepared


async def _walk(site: Site, prepared: Prepared, nodes: tuple[Node, ...]) -> None:
    plan: Plan = replace(prepared.plan, nodes=nodes)
    with SqliteJournal(
        site.state.journal, kind="bootstrap", cluster=site.cluster, now=lambda: datetime.now(UTC)
    ) as journal:
        journal.begin()
        runner = Runner(plan, journal=journal, listener=_ignore, clock=prepared.clock)
        result = await runner.run()

    assert RunState.FINISHED is result.state, result.failures


def _witness(node: Node, account: Account, writes: Mapping[str, set[str]]) -> Node:
    """Return the node that tells its account, and repeats its act once the act was seen."""
    kind = type(node)

    async def probe(self: Node) -> Answer:
        answer = await kind.probe(self)
        account.answers.append(answer)
        if isinstance(answer, Satisfied) and account.acts == 1:
            account.acts += 1
            await _repeat(cast("Step", self), kind, account, writes)
        return answer

    async def apply(self: Step) -> None:
        account.acts = account.acts or 1
        account.answer_before = account.answers[-1]
        await cast("type[Step]", kind).apply(self)

    return guard_node(node, {"probe": probe, **({"apply": apply} if _is_step(node) else {})})


async def _repeat(step: Step, kind: type, account: Account, writes: Mapping[str, set[str]]) -> None:
    world = cast("_HasWorld", step).world
    account.after_first = await _read_objects(world, writes.get(step.name, set()))
    try:
        await cast("type[Step]", kind).apply(step)
    except TransientError as error:
        account.refusal = error.message
    account.after_repeat = await _read_objects(world, writes.get(step.name, set()))


def _witness_again(node: Node, account: Account) -> Node:
    kind = type(node)

    async def probe(self: Node) -> Answer:
        answer = await kind.probe(self)
        account.answers_again.append(answer)
        return answer

    async def apply(self: Step) -> None:
        account.acts_again += 1
        await cast("type[Step]", kind).apply(self)

    return guard_node(node, {"probe": probe, **({"apply": apply} if _is_step(node) else {})})


def _is_step(node: Node) -> bool:
    return isinstance(node, Step)


async def _read_objects(world: World, paths: set[str]) -> Mapping[str, JsonObject]:
    if not paths:
        return {}
    api = await world.access.api()
    found: dict[str, JsonObject] = {}
    for path in sorted(paths):
        try:
            found[path] = await api._transport.request("GET", path)
        except NotFoundError:
            found[path] = {}
    return found


def _list_traces(state: ClusterState) -> set[str]:
    """Name what a change would leave: acts that the lab counted, and files of the run's own."""
    world = find_lab_folder(state)
    files = {str(path) for path in state.folder.rglob("*") if world not in path.parents}
    return files | {f"{act}: {count}" for act, count in read_acts(state).items()}


def _ignore(_event: Event) -> None:
    """Nobody listens."""

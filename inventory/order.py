"""Cycles among components, and the order in which layers and components can be brought up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from heapq import heappop, heappush

from inventory.layers import UNKNOWN_RANK
from inventory.model import Cycle, Edge, EdgeKind, Inventory, Layer, Wave

# Flux itself waits for these, whoever applies the objects; the other kinds are satisfied by
# applying CRDs, namespaces and sources beforehand.
HARD_KINDS = frozenset({EdgeKind.DEPENDS_ON, EdgeKind.PARENT})
_Graph = Mapping[str, set[str]]


def find_cycles(edges: Iterable[Edge]) -> tuple[Cycle, ...]:
    """Return the groups of components that wait for each other over `edges`."""
    edges = tuple(edge for edge in edges if edge.consumer != edge.provider)
    graph = _graph(edges)
    cycles: list[Cycle] = []
    for members in _strong_components(graph):
        if len(members) < 2:  # noqa: PLR2004 - one component alone is no cycle
            continue
        inside = tuple(e for e in edges if e.consumer in members and e.provider in members)
        cycles.append(
            Cycle(
                components=tuple(sorted(members)),
                edges=inside,
                chain=_chain(graph, members),
                blocked=tuple(sorted(find_waiting(edges, members) - members)),
            )
        )
    return tuple(sorted(cycles, key=lambda cycle: cycle.components))


def order_layers(inventory: Inventory, edges: Iterable[Edge] = ()) -> tuple[Layer, ...]:
    """Return the layers in bootstrap order.

    Known names have a fixed rank; a layer with another name comes before the first ranked layer
    that needs it, else after core and networking and before the applications. Equal ranks keep the
    order of the entry.
    """
    owner = {name: layer.name for layer in inventory.layers for name in layer.components}
    rank = {layer.name: layer.rank for layer in inventory.layers}
    needed: dict[str, list[int]] = {}
    for edge in edges:
        provider, consumer = owner.get(edge.provider), owner.get(edge.consumer)
        if provider and consumer and provider != consumer and rank[provider] == UNKNOWN_RANK:
            needed.setdefault(provider, []).append(rank[consumer])
    refined = [
        replace(layer, rank=min([layer.rank, *(n - 5 for n in needed.get(layer.name, ()))]))
        for layer in inventory.layers
    ]
    return tuple(sorted(refined, key=lambda layer: layer.rank))


def order_components(inventory: Inventory, edges: Iterable[Edge] = ()) -> tuple[Wave, ...]:
    """Return one wave a layer, in bootstrap order, its components in a workable order.

    A component that Flux keeps waiting for something in a later layer is deferred to that layer.
    Members of a cycle of hard edges stay in their layer, in the order of the build.
    """
    edges = tuple(edges) or inventory.edges
    layers = order_layers(inventory, edges)
    home = {name: index for index, layer in enumerate(layers) for name in layer.components}
    hard = _graph(edge for edge in edges if edge.kind in HARD_KINDS)
    place = _latest(hard, home)
    every = _graph(edges)
    waves: list[Wave] = []
    for index, layer in enumerate(layers):
        members = [name for name in home if place[name] == index]
        waves.append(
            Wave(
                layer=layer,
                components=tuple(_sort(members, hard, every)),
                deferred=tuple(name for name in members if home[name] != index),
            )
        )
    return tuple(waves)


def _latest(graph: _Graph, home: Mapping[str, int]) -> dict[str, int]:
    """Return for each component the last layer among it and all that it waits for."""
    latest = dict(home)
    for members in reversed(_strong_components(graph)):  # what is waited for comes first
        others = {other for name in members for other in graph[name]} | members
        last = max(latest.get(name, 0) for name in others)
        latest.update(dict.fromkeys(members, last))
    return {name: latest[name] for name in home}


def _sort(members: list[str], hard: _Graph, every: _Graph) -> list[str]:
    """Sort so that providers come first; soft edges give way to hard ones, and cycles to order."""
    queues = (_Queue(members, every), _Queue(members, hard))
    result: list[str] = []
    done: set[str] = set()
    for name in members:
        while name not in done:  # others go first while they can
            ready = next(
                (free for queue in queues if (free := queue.first(done)) is not None), name
            )
            done.add(ready)
            result.append(ready)
            for queue in queues:
                queue.finish(ready)
    return result


class _Queue:
    """Members that wait for nobody any more, the first of the build first."""

    def __init__(self, members: list[str], graph: _Graph) -> None:
        self._members = members
        self._place = {name: index for index, name in enumerate(members)}
        self._consumers: dict[str, list[str]] = {}
        self._open: dict[str, int] = {}
        for name in members:
            providers = [p for p in graph.get(name, ()) if p in self._place and p != name]
            self._open[name] = len(providers)
            for provider in providers:
                self._consumers.setdefault(provider, []).append(name)
        self._free = [index for index, name in enumerate(members) if not self._open[name]]

    def first(self, done: set[str]) -> str | None:
        """Return the first member that waits for nobody and is not done."""
        while self._free and self._members[self._free[0]] in done:
            heappop(self._free)
        return self._members[self._free[0]] if self._free else None

    def finish(self, name: str) -> None:
        """Free those that waited for a member alone."""
        for consumer in self._consumers.get(name, ()):
            self._open[consumer] -= 1
            if not self._open[consumer]:
                heappush(self._free, self._place[consumer])


def _graph(edges: Iterable[Edge]) -> dict[str, set[str]]:
    graph: dict[str, set[str]] = {}
    for edge in edges:
        graph.setdefault(edge.consumer, set()).add(edge.provider)
        graph.setdefault(edge.provider, set())
    return graph


def _strong_components(graph: _Graph) -> list[set[str]]:
    """Return strongly connected components (Kosaraju, without recursion)."""
    finished: list[str] = []
    seen: set[str] = set()
    for start in sorted(graph):
        _visit(start, graph, seen, finished)
    backwards: dict[str, set[str]] = {name: set() for name in graph}
    for name, others in graph.items():
        for other in others:
            backwards[other].add(name)
    seen.clear()
    result: list[set[str]] = []
    for start in reversed(finished):
        members: list[str] = []
        _visit(start, backwards, seen, members)
        if members:
            result.append(set(members))
    return result


def _visit(start: str, graph: _Graph, seen: set[str], finished: list[str]) -> None:
    if start in seen:
        return
    seen.add(start)
    stack = [(start, iter(sorted(graph.get(start, ()))))]
    while stack:
        name, others = stack[-1]
        other = next((item for item in others if item not in seen), None)
        if other is None:
            finished.append(name)
            stack.pop()
        else:
            seen.add(other)
            stack.append((other, iter(sorted(graph.get(other, ())))))


def _chain(graph: _Graph, members: set[str]) -> tuple[str, ...]:
    """Return one shortest way from the first member back to itself."""
    start = min(members)
    before: dict[str, str] = {}
    todo = [start]
    for name in todo:
        for other in sorted(graph[name] & members):
            if other == start:
                chain = [name]
                while chain[-1] != start:
                    chain.append(before[chain[-1]])
                return (*reversed(chain), start)
            if other not in before:
                before[other] = name
                todo.append(other)
    return (start, start)


def find_waiting(edges: Iterable[Edge], members: set[str]) -> set[str]:
    """Return who waits for one of `members`, directly or not, and they themselves."""
    consumers: dict[str, set[str]] = {}
    for edge in edges:
        consumers.setdefault(edge.provider, set()).add(edge.consumer)
    reached = set(members)
    todo = list(members)
    while todo:
        for other in consumers.get(todo.pop(), ()):
            if other not in reached:
                reached.add(other)
                todo.append(other)
    return reached

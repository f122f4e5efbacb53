"""Checks of order: CRDs and their users, cycles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from inventory.catalogue import find_provider
from inventory.checks.facts import Facts
from inventory.edges import crd_edges, find_unprovided, namespace_edges, need_edges, release_edges
from inventory.model import Cycle, Edge, EdgeKind, Finding, Inventory, Release, Severity
from inventory.needs import Need, find_needs
from inventory.objects import get_text
from inventory.order import find_cycles
from inventory.rules import make_finding

GRAPH_RULES: Final = frozenset(
    {
        "crd-in-entry",
        "crd-beside-release",
        "crd-order-not-declared",
        "provider-not-live",
        "release-without-provider",
        "release-order-not-declared",
        "dependency-cycle",
        "cold-start-cycle",
    }
)

_MAX_REASONS: Final = 20  # of a cycle; hundreds would hide the chain


def check_graph(facts: Facts) -> Iterator[Finding]:
    """Yield deadlocks and undeclared order."""
    inventory = facts.inventory
    crds = crd_edges(inventory, facts.rendered.provided)
    entries = {entry.name for entry in inventory.entries}
    declared = _Declared(inventory.edges)
    for edge in crds:
        if edge.consumer in entries:
            yield _finding(edge, "crd-in-entry", f"entry `{edge.consumer}` {edge.reason}")
        elif edge.consumer == edge.provider:
            message = f"component `{edge.consumer}` {edge.reason} itself"
            yield _finding(
                edge,
                "crd-beside-release",
                message.replace(f" {edge.provider} brings", " it brings"),
            )
        elif not declared.is_ordered(edge):
            message = f"component `{edge.consumer}` {edge.reason}, without dependsOn"
            yield _finding(edge, "crd-order-not-declared", message)
    yield from _providers(facts)
    yield from _needs(facts, declared)
    yield from _rendered_needs(facts, crds, declared)
    waits = (*inventory.edges, *release_edges(inventory))
    declared_cycles = find_cycles(waits)
    for cycle in declared_cycles:
        yield _cycle(facts, cycle, "dependency-cycle")
    known = {cycle.components for cycle in declared_cycles}
    for cycle in find_cycles((*waits, *crds, *namespace_edges(inventory))):
        if cycle.components not in known:
            yield _cycle(facts, cycle, "cold-start-cycle")


def _finding(edge: Edge, name: str, message: str) -> Finding:
    return make_finding(name, message, edge.position)


def _providers(facts: Facts) -> Iterator[Finding]:
    seen: set[tuple[str, str]] = set()
    for component, item in find_unprovided(facts.inventory, facts.rendered.provided):
        if (component, item.group_kind) in seen:
            continue
        seen.add((component, item.group_kind))
        provider = find_provider(item.group)
        names = " or ".join(provider.names) if provider else "its provider"
        message = (
            f"component `{component}` has {item.kind}, but nothing live brings its CRD: `{names}`"
        )
        hint = _find_dead(facts.inventory, provider.names if provider else ())
        yield _soften(facts, make_finding("provider-not-live", message, item.position, hint))


def _soften(facts: Facts, finding: Finding) -> Finding:
    """Return only a warning where whoever applies a tenant's repository may bring what it needs."""
    return replace(finding, severity=Severity.WARNING) if facts.is_tenant else finding


def _find_dead(inventory: Inventory, names: Iterable[str]) -> str:
    """Return a repair when what would bring it lies on disk, but nothing live leads to it."""
    wanted = set(names)
    for item in inventory.dead:
        chart = get_text(item.raw, "spec", "chart", "spec", "chart")
        if item.kind == "HelmRelease" and wanted & {item.name, chart}:
            return f"{item.name} lies in {item.position.path}, but no kustomization lists it: do so"
    return ""


def _needs(facts: Facts, declared: _Declared) -> Iterator[Finding]:
    """Yield releases whose values ask for what another release brings, or nothing does."""
    known = {(edge.consumer, edge.subjects[0]): edge for edge in need_edges(facts.inventory)}
    unordered: dict[tuple[str, str], list[tuple[Release, Need]]] = {}
    for release in facts.inventory.releases:
        for need in find_needs(release):
            edge = known.get((release.component, need.group))
            provider = find_provider(need.group)
            if edge is None and provider is not None and release.chart not in provider.names:
                names = " or ".join(provider.names)
                message = (
                    f"release `{release.name}` asks for objects of {need.group},"
                    f" but nothing live brings them: `{names}`"
                )
                place = facts.locate(release.position, *need.keys)
                hint = _find_dead(facts.inventory, provider.names)
                yield _soften(facts, make_finding("release-without-provider", message, place, hint))
            elif edge is not None and not declared.is_ordered(edge):
                unordered.setdefault((edge.provider, need.group), []).append((release, need))
    for (name, group), users in unordered.items():
        releases = ", ".join(user.name for user, _ in users)
        message = f"releases ask for objects of {group} without dependsOn `{name}`: `{releases}`"
        first, need = users[0]
        place = facts.locate(first.position, *need.keys)
        yield make_finding("release-order-not-declared", message, place)


def _rendered_needs(facts: Facts, known: Iterable[Edge], declared: _Declared) -> Iterator[Finding]:
    """Yield releases whose rendered objects need what another component brings."""
    told = {(edge.consumer, edge.provider) for edge in known}
    told |= {(edge.consumer, edge.provider) for edge in need_edges(facts.inventory)}
    rendered = facts.rendered
    for edge in crd_edges(facts.inventory, rendered.provided, rendered.consumed):
        is_own = edge.consumer == edge.provider  # Helm's business, within one release
        is_ordered = declared.is_ordered(edge)
        if is_own or is_ordered or (edge.consumer, edge.provider) in told:
            continue
        kinds = ", ".join(edge.subjects)
        message = f"chart of `{edge.consumer}` renders {kinds} without dependsOn `{edge.provider}`"
        yield make_finding("release-order-not-declared", message, edge.position)


def _cycle(facts: Facts, cycle: Cycle, name: str) -> Finding:
    closing = min(
        (edge for edge in cycle.edges if edge.consumer in cycle.chain),
        key=lambda edge: (edge.kind is EdgeKind.DEPENDS_ON, edge.position),
    )
    place = closing.position
    if closing.kind is EdgeKind.DEPENDS_ON:
        place = facts.locate(place, "spec", "dependsOn")
    told = [edge for edge in cycle.edges if edge.consumer in cycle.chain][:_MAX_REASONS]
    told += [edge for edge in cycle.edges if edge not in told][: _MAX_REASONS - len(told)]
    reasons = "; ".join(f"{edge.consumer} {edge.reason}" for edge in cycle.edges if edge in told)
    waiting = f"; {len(cycle.blocked)} more wait behind them" if cycle.blocked else ""
    message = f"components wait for each other: `{' -> '.join(cycle.chain)}` ({reasons}){waiting}"
    return make_finding(name, message, place)


class _Declared:
    """Tells who waits for whom over declared edges, directly or not.

    Asked from the provider's side: providers are few, and a set for each component would grow with
    the square of a chain's length.
    """

    def __init__(self, edges: Iterable[Edge]) -> None:
        self._direct: dict[str, list[str]] = {}
        for edge in edges:
            self._direct.setdefault(edge.provider, []).append(edge.consumer)
        self._known: dict[str, set[str]] = {}

    def is_ordered(self, edge: Edge) -> bool:
        """Say whether the consumer waits for the provider already."""
        if edge.provider not in self._known:
            todo, seen = [edge.provider], set[str]()
            while todo:
                for other in self._direct.get(todo.pop(), ()):
                    if other not in seen:
                        seen.add(other)
                        todo.append(other)
            self._known[edge.provider] = seen
        return edge.consumer in self._known[edge.provider]

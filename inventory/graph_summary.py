"""The dependency graph's part of the summary."""

from __future__ import annotations

from inventory.catalogue import find_provider
from inventory.crds import find_custom_resources
from inventory.edges import crd_edges, find_unprovided
from inventory.model import DeadObject, Edge, EdgeKind, Inventory, Json
from inventory.objects import get_text
from inventory.order import find_cycles


def describe_crd_edges(inventory: Inventory) -> Json:
    """Return who waits for whose CRDs, and whether the repository says so."""
    declared = {(edge.consumer, edge.provider) for edge in inventory.edges}
    found = [
        (edge.consumer, edge.provider, edge.subjects, _state(edge, declared))
        for edge in crd_edges(inventory)
    ]
    found += _dead_edges(inventory)
    return [
        {"from": consumer, "to": provider, "kinds": list(kinds), "state": state}
        for consumer, provider, kinds, state in sorted(found)
    ]


def cycles(inventory: Inventory) -> Json:
    """Return the cycles over declared and CRD edges."""
    edges = [*inventory.edges, *crd_edges(inventory)]
    return [
        {
            "components": list(cycle.components),
            "edges": [
                {"from": edge.consumer, "to": edge.provider, "kind": _kind(edge)}
                for edge in sorted(cycle.edges, key=lambda edge: (edge.consumer, edge.provider))
            ],
            "chain": list(cycle.chain),
            "blocked_behind_count": len(cycle.blocked),
            "blocked_behind": list(cycle.blocked),
        }
        for cycle in find_cycles(edges)
    ]


def custom_resources(inventory: Inventory) -> Json:
    """Return the kinds of live custom resources, who holds them and who brings their CRDs."""
    counts: dict[tuple[str, str], int] = {}
    holders: dict[tuple[str, str], set[str]] = {}
    for item in find_custom_resources(inventory):
        key = (item.reference.api_version, item.reference.kind)
        counts[key] = counts.get(key, 0) + 1
        holders.setdefault(key, set()).add(item.component)
    return [
        {
            "api_version": api_version,
            "kind": kind,
            "objects": counts[api_version, kind],
            "components": sorted(holders[api_version, kind]),
        }
        for api_version, kind in sorted(counts)
    ]


def _state(edge: Edge, declared: set[tuple[str, str]]) -> str:
    if edge.consumer == edge.provider:
        return "same component"
    is_covered = (edge.consumer, edge.provider) in declared
    return "covered by dependsOn" if is_covered else "not declared"


def _kind(edge: Edge) -> str:
    if edge.kind is EdgeKind.DEPENDS_ON:
        return edge.kind.value
    return f"{edge.kind.value} {', '.join(edge.subjects)}"


def _dead_edges(inventory: Inventory) -> list[tuple[str, str, tuple[str, ...], str]]:
    """Return edges to providers that lie on disk but are not live."""
    grouped: dict[tuple[str, str], set[str]] = {}
    for component, item in find_unprovided(inventory):
        provider = _dead_provider(inventory, item.group)
        if provider:
            grouped.setdefault((component, provider), set()).add(item.kind)
    return [
        (consumer, provider, tuple(sorted(kinds)), "provider not live")
        for (consumer, provider), kinds in grouped.items()
    ]


def _dead_provider(inventory: Inventory, group: str) -> str:
    entry = find_provider(group)
    names = entry.names if entry is not None else ()
    found = [item for item in inventory.dead if item.kind == "HelmRelease"]
    return next((item.name for item in found if _is_named(item, names)), "")


def _is_named(item: DeadObject, names: tuple[str, ...]) -> bool:
    return item.name in names or get_text(item.raw, "spec", "chart", "spec", "chart") in names

"""An inventory as plain JSON values, for output and for comparing."""

from __future__ import annotations

from inventory.flux import HELM_GROUP, KUSTOMIZE_GROUP, SOURCE_GROUP
from inventory.graph_summary import custom_resources, cycles, describe_crd_edges
from inventory.model import (
    DeadObject,
    EdgeKind,
    Finding,
    Inventory,
    Json,
    JsonObject,
    Release,
    Source,
)
from inventory.namespaces import undeclared_namespaces
from inventory.objects import group_of
from inventory.versions import find_drift


def summarise(inventory: Inventory) -> JsonObject:
    """Return everything but raw objects and values of variables."""
    return {
        **_cluster(inventory),
        "entries": [
            {
                "name": entry.name,
                "file": entry.file,
                "path": entry.path,
                "applied_by_its_own_build": entry.is_self_applied,
            }
            for entry in inventory.entries
        ],
        "layers": _layers(inventory),
        "totals": _totals(inventory),
        "dead": _dead(inventory),
        "build": _build(inventory),
        "sources": [_source(source) for source in sorted(inventory.sources, key=_source_order)],
        "missing_sources": _missing_sources(inventory),
        "depends_on": _depends_on(inventory),
        "waiting": _waiting(inventory),
        "crd_edges": describe_crd_edges(inventory),
        "cycles": cycles(inventory),
        "releases": [_release(release) for release in sorted(inventory.releases, key=_order)],
        "custom_resources": custom_resources(inventory),
        "namespaces": {
            "undeclared": [
                {"namespace": name, "objects": sorted({text for _, text, _ in users})}
                for name, users in undeclared_namespaces(inventory).items()
            ]
        },
        "variables": _variables(inventory),
        "versions": _versions(inventory),
        "findings": [describe_finding(finding) for finding in inventory.findings],
    }


def describe_finding(finding: Finding) -> JsonObject:
    """Return one finding."""
    return {
        "id": finding.id,
        "severity": finding.severity.value,
        "message": finding.message,
        "path": finding.position.path,
        "line": finding.position.line,
        "column": finding.position.column,
        "hint": finding.hint,
    }


def _cluster(inventory: Inventory) -> JsonObject:
    talos = inventory.talos
    if talos is None:
        return {"cluster": {"name": inventory.cluster}}
    return {
        "cluster": {"name": inventory.cluster, "endpoint": talos.endpoint},
        "nodes": [
            {
                "hostname": node.hostname,
                "role": node.role.value,
                "ip_expression": node.address_expression,
                "ip": node.address,
            }
            for node in talos.nodes
        ],
        "talos_version": talos.talos_version,
        "kubernetes_version": talos.kubernetes_version,
        "talconfig": {
            "variables": list(talos.variables_used),
            "undefined": list(talos.variables_undefined),
            "patches_referenced": list(talos.patch_files),
            "patches_missing": list(talos.missing_patch_files),
        },
    }


def _layers(inventory: Inventory) -> Json:
    return [
        {
            "layer": layer.name,
            "rank": layer.rank,
            "components": list(layer.components),
            "objects": [str(item) for item in layer.objects],
        }
        for layer in inventory.layers
    ]


def _totals(inventory: Inventory) -> JsonObject:
    live = {
        "kustomizations": len(inventory.components) + len(inventory.entries),
        "helm_releases": len(inventory.releases),
        "sources": len(inventory.sources),
    }
    dead = {
        "kustomizations": len(_dead_of(inventory, KUSTOMIZE_GROUP)),
        "helm_releases": len(_dead_of(inventory, HELM_GROUP)),
        "sources": len(_dead_of(inventory, SOURCE_GROUP)),
    }
    totals: dict[str, Json] = {}
    for name, count in live.items():
        totals[f"{name}_on_disk"] = count + dead[name]
        totals[f"{name}_live"] = count
    return totals


def _dead(inventory: Inventory) -> JsonObject:
    live = {(source.kind, source.name) for source in inventory.sources}
    return {
        "kustomizations": [_at(item) for item in _dead_of(inventory, KUSTOMIZE_GROUP)],
        "helm_releases": [_at(item) for item in _dead_of(inventory, HELM_GROUP)],
        "sources": [
            {"kind": item.kind, "name": item.name, "file": item.position.path}
            for item in _dead_of(inventory, SOURCE_GROUP)
            if (item.kind, item.name) not in live
        ],
    }


def _dead_of(inventory: Inventory, group: str) -> list[DeadObject]:
    found = [item for item in inventory.dead if group_of(item.raw) == group]
    return sorted(found, key=lambda item: item.position)


def _at(item: DeadObject) -> JsonObject:
    return {"name": item.name, "file": item.position.path}


def _build(inventory: Inventory) -> JsonObject:
    return {
        "failed": sorted(item.name for item in inventory.components if item.build_failed),
        "no_kustomization_file": sorted(
            item.name
            for item in inventory.components
            if item.is_local and not item.has_kustomization_file
        ),
        "not_in_this_repository": sorted(
            item.name for item in inventory.components if not item.is_local
        ),
    }


def _source_order(source: Source) -> tuple[str, str, str]:
    return (source.kind, source.namespace, source.name)


def _source(source: Source) -> JsonObject:
    described: dict[str, Json] = {
        "kind": source.kind,
        "namespace": source.namespace,
        "name": source.name,
        "url": source.url,
    }
    if source.type:
        described["type"] = source.type
    if source.ref:
        described["ref"] = source.ref
    described["used"] = source.is_used
    return described


def _missing_sources(inventory: Inventory) -> Json:
    known = {source.key for source in inventory.sources}
    uses = [(r.component, r.name, r.source) for r in inventory.releases]
    uses += [(c.name, c.name, c.source) for c in inventory.components]
    return [
        {"component": component, "object": name, "source": str(source)}
        for component, name, source in uses
        if source not in known
    ]


def _depends_on(inventory: Inventory) -> JsonObject:
    declared = [edge for edge in inventory.edges if edge.kind is EdgeKind.DEPENDS_ON]
    known = {(item.namespace, item.name) for item in inventory.components}
    return {
        "count": len(declared),
        "edges": [
            {"from": consumer, "to": provider}
            for consumer, provider in sorted((e.consumer, e.provider) for e in declared)
        ],
        "missing_targets": [
            {"from": item.name, "to": name}
            for item in inventory.components
            for namespace, name in item.depends_on
            if (namespace, name) not in known
        ],
        "helm_release_edges": _release_dependencies(inventory),
    }


def _release_dependencies(inventory: Inventory) -> list[Json]:
    releases = sorted(inventory.releases, key=lambda release: release.id)
    return [
        {"from": release.id, "to": f"{namespace}/{name}"}
        for release in releases
        for namespace, name in release.depends_on
    ]


def _waiting(inventory: Inventory) -> JsonObject:
    components = inventory.components
    return {
        "wait": sorted(item.name for item in components if item.wait),
        "health_checks": sorted(item.name for item in components if item.health_checks),
        "suspended_kustomizations": sorted(item.name for item in components if item.suspend),
        "suspended_helm_releases": sorted(item.name for item in inventory.releases if item.suspend),
    }


def _order(release: Release) -> tuple[str, str]:
    return (release.component, release.name)


def _release(release: Release) -> JsonObject:
    return {
        "component": release.component,
        "release": release.name,
        "namespace": release.namespace,
        "chart": release.chart or None,
        "version": release.version or None,
        "source": str(release.source),
    }


def _variables(inventory: Inventory) -> JsonObject:
    """Return names and counts only: values may be secret."""
    variables = inventory.variables
    return {
        "path": variables.path,
        "encrypted": variables.encrypted,
        "names": list(variables.names),
        "sources": {
            f"{kind}/{name}": len(found.names)
            for (kind, _, name), found in sorted(variables.sets.items())
        },
    }


def _versions(inventory: Inventory) -> JsonObject:
    items: list[Json] = []
    for statement in inventory.versions:
        item = {"subject": statement.subject, "source": statement.source, "value": statement.value}
        items.append({**item, "note": statement.note} if statement.note else item)
    drift: list[Json] = [
        {"subject": subject, "values": sorted({statement.value for statement in statements})}
        for subject, statements in find_drift(inventory.versions).items()
    ]
    return {"items": items, "drift": drift}

"""Read one cluster of a repository: find the entries, build what they reach, gather the values."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from inventory import flux
from inventory.artifact import make_views
from inventory.checks import GRAPH_RULES, Facts, check_all, check_graph
from inventory.discovery import Found, find_entries, find_objects
from inventory.documents import Document
from inventory.model import (
    Component,
    DeadObject,
    Edge,
    EdgeKind,
    Entry,
    Finding,
    Inventory,
    Layer,
    Release,
    Rendered,
    Source,
    SourceKey,
    TalosConfig,
    Variables,
)
from inventory.objects import kind_of, name_of, namespace_of
from inventory.talos import read_talconfig
from inventory.tree import Tree, join
from inventory.variables import derive, derived_names, read_clusterenv
from inventory.versions import find_versions
from inventory.walk import Walk

_NO_OVERLAY: Mapping[str, str] = {}


def read_repository(
    root: Path, cluster: str, overlay: Mapping[str, str] = _NO_OVERLAY
) -> Inventory:
    """Read a repository into values; nothing is executed, written or fetched.

    Args:
        root: The repository's folder.
        cluster: Folder name under `clusters/`.
        overlay: Repository-relative POSIX paths to the text to use instead of the file's content;
            for SOPS files that the caller decrypted in memory.

    Returns:
        The inventory. What is wrong in the repository is in its findings; nothing is raised for it.
    """
    with _without_collector():
        return _read(Tree(str(root), overlay), cluster)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Keep the cycle collector still for a while.

    What is read is trees of plain values, without cycles; the collector walks all of them again
    and again as they grow, which is a fifth of the whole time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _read(tree: Tree, cluster: str) -> Inventory:
    variables, talos = _read_cluster(tree, cluster)
    found = find_objects(tree, cluster)
    entries = find_entries(found, cluster)
    walk = Walk(tree, make_views(tree, found, (entry.source for entry in entries)))
    walk.run(entries, cluster)
    sets = walk.variable_sets()
    releases, sources = _resolve(walk)
    components = _with_releases(walk.components, releases)
    inventory = Inventory(
        root=tree.root,
        cluster=cluster,
        talos=talos,
        variables=replace(variables, sets=sets),
        entries=tuple(walk.entries),
        layers=tuple(walk.layers),
        components=components,
        releases=releases,
        sources=sources,
        findings=(),
        edges=declared_edges(components),
        dead=tuple(_dead(found, walk)),
        unlisted_directories=tuple(_unlisted(tree, walk.layers, walk.entries, found, cluster)),
    )
    versions = find_versions(tree, talos, inventory.objects(), releases, sources)
    inventory = replace(inventory, versions=versions)
    facts = Facts(inventory, tree, tuple(found))
    return replace(inventory, findings=_distinct([*check_all(facts), *tree.findings]))


def judge_rendered(
    inventory: Inventory, rendered: Rendered, overlay: Mapping[str, str] = _NO_OVERLAY
) -> Inventory:
    """Return the inventory with findings about order as rendered charts show it.

    Args:
        inventory: As `read_repository` returned it.
        rendered: What the charts of releases bring and need.
        overlay: As for `read_repository`.
    """
    facts = Facts(inventory, Tree(inventory.root, overlay), rendered=rendered)
    others = [finding for finding in inventory.findings if finding.id not in GRAPH_RULES]
    return replace(inventory, findings=_distinct([*others, *check_graph(facts)]))


def list_clusters(root: Path) -> tuple[str, ...]:
    """Return the names of the folders under `clusters/`."""
    tree = Tree(str(root), _NO_OVERLAY)
    return tuple(name for name, is_directory in tree.names("clusters") if is_directory)


def _read_cluster(tree: Tree, cluster: str) -> tuple[Variables, TalosConfig | None]:
    folder = join("clusters", cluster)
    environment = _first(tree, join(folder, "clusterenv.yaml"))
    names: tuple[str, ...] = ()
    values: dict[str, str] = {}
    encrypted = False
    if environment is not None:
        names, values, encrypted = read_clusterenv(environment)
    derived = derive(values, cluster)
    known = frozenset(names) | frozenset(derived)
    if encrypted:
        known |= derived_names(names)
    variables = Variables(
        names=names,
        values=values,
        derived=derived,
        sets={},
        path=environment.path if environment else "",
        encrypted=encrypted,
    )
    talconfig = _first(tree, join(folder, "talos/talconfig.yaml"))
    if talconfig is None:
        return variables, None
    return variables, read_talconfig(tree, talconfig, {**derived, **values}, known)


def _first(tree: Tree, path: str) -> Document | None:
    if not tree.is_file(path):
        return None
    documents = tree.documents(path)
    return documents[0] if documents else None


def _resolve(walk: Walk) -> tuple[tuple[Release, ...], tuple[Source, ...]]:
    """Return releases and sources, each told of the other."""
    releases: list[Release] = []
    sources: dict[SourceKey, Source] = {}
    for owner, resource in walk.objects:
        if flux.is_release(resource.value):
            releases.append(flux.read_release(resource.value, resource.position, owner))
        elif flux.is_source(resource.value):
            source = flux.read_source(resource.value, resource.position, owner)
            sources.setdefault(source.key, source)
    used = {release.source for release in releases}
    used |= {entry.source for entry in walk.entries}
    used |= {component.source for component in walk.components}
    resolved = tuple(_with_chart(release, sources) for release in releases)
    return resolved, tuple(replace(s, is_used=s.key in used) for s in sources.values())


def _with_chart(release: Release, sources: Mapping[SourceKey, Source]) -> Release:
    source = sources.get(release.source)
    if not release.is_chart_ref or source is None:
        return release
    chart, version = flux.chart_of(source)
    return replace(release, chart=chart, version=version)


def _with_releases(
    components: list[Component], releases: tuple[Release, ...]
) -> tuple[Component, ...]:
    own: dict[str, list[Release]] = {}
    for release in releases:
        own.setdefault(release.component, []).append(release)
    return tuple(
        replace(component, releases=tuple(own[component.name]))
        if component.name in own
        else component
        for component in components
    )


def declared_edges(components: tuple[Component, ...]) -> tuple[Edge, ...]:
    """Return one edge for each `dependsOn` of a live Kustomization."""
    names = {(component.namespace, component.name) for component in components}
    return tuple(
        Edge(
            consumer=component.name,
            provider=name,
            kind=EdgeKind.DEPENDS_ON,
            reason=f"spec.dependsOn names {name}",
            position=component.position,
            is_declared=True,
        )
        for component in components
        for namespace, name in component.depends_on
        if (namespace, name) in names
    )


def _dead(found: list[Found], walk: Walk) -> list[DeadObject]:
    return [
        DeadObject(
            kind_of(item.value),
            namespace_of(item.value),
            name_of(item.value),
            item.document.position,
            item.value,
        )
        for item in found
        if (item.document.path, item.document.index) not in walk.live
    ]


def _unlisted(
    tree: Tree, layers: list[Layer], entries: list[Entry], found: list[Found], cluster: str
) -> list[str]:
    """Return directories beside the layers that hold Kustomizations nobody lists."""
    names = {layer.path for layer in layers}
    result: list[str] = []
    for entry in entries:
        if not entry.path.startswith(f"clusters/{cluster}"):
            continue
        for name, is_directory in tree.names(entry.path):
            path = join(entry.path, name)
            if is_directory and path not in names and _holds_kustomizations(path, found):
                result.append(path)
    return result


def _holds_kustomizations(path: str, found: list[Found]) -> bool:
    return any(
        item.document.path.startswith(path + "/") and flux.is_kustomization(item.value)
        for item in found
    )


def _distinct(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(
        sorted(set(findings), key=lambda finding: (finding.position, finding.id, finding.message))
    )

"""Read one cluster of a repository: find the entries, build what they reach, gather the values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from inventory import flux
from inventory.checks import Facts, check_all
from inventory.discovery import EntryCandidate, Found, find_entries, find_objects
from inventory.documents import Document
from inventory.kustomization import Build, Builder
from inventory.layers import build_layers, layer_of
from inventory.model import (
    Component,
    DeadObject,
    Edge,
    EdgeKind,
    Entry,
    Finding,
    Inventory,
    JsonObject,
    Layer,
    ObjectRef,
    Release,
    Severity,
    Source,
    SourceKey,
    TalosConfig,
    Variables,
    VariableSet,
)
from inventory.objects import get_mapping, get_mappings, kind_of, name_of, namespace_of
from inventory.resources import Resource, refer_to
from inventory.talos import read_talconfig
from inventory.tree import Tree, join
from inventory.variables import derive, derived_names, read_clusterenv, read_set
from inventory.versions import find_versions

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
    tree = Tree(str(root), overlay)
    variables, talos = _read_cluster(tree, cluster)
    found = find_objects(tree, cluster)
    walk = _Walk(tree)
    walk.run(find_entries(found, cluster), cluster)
    sets = walk.variable_sets()
    releases, sources = _resolve(walk)
    components = tuple(_with_releases(component, releases) for component in walk.components)
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


@dataclass(slots=True)
class _Pending:
    """A Kustomization that a build produced and that is to be followed."""

    resource: Resource
    layer: str
    parent: str


class _Walk:
    """Follows Kustomizations from the entries down, each one once."""

    def __init__(self, tree: Tree) -> None:
        self.entries: list[Entry] = []
        self.components: list[Component] = []
        self.layers: list[Layer] = []
        self.live: set[tuple[str, int]] = set()
        self.objects: list[tuple[str, Resource]] = []
        self._tree = tree
        self._builder = Builder(tree)
        self._local: set[SourceKey] = set()
        self._visited: set[tuple[str, str]] = set()
        self._self_applied: dict[tuple[str, str], JsonObject] = {}

    def run(self, candidates: list[EntryCandidate], cluster: str) -> None:
        self._visited = {candidate.key for candidate in candidates}
        self._local = {_source_of(candidate) for candidate in candidates}
        for candidate in candidates:
            self._entry(candidate, cluster)
        self.entries = [self._finish(entry) for entry in self.entries]

    def variable_sets(self) -> dict[tuple[str, str, str], VariableSet]:
        """Return every live ConfigMap and Secret that some `substituteFrom` names."""
        sources = [source for entry in self.entries for source in entry.substitute_from]
        sources += [source for item in self.components for source in item.substitute_from]
        wanted = {(source.kind, source.namespace, source.name) for source in sources}
        found: dict[tuple[str, str, str], VariableSet] = {}
        for _, resource in self.objects:
            value = resource.value
            key = (kind_of(value), namespace_of(value), name_of(value))
            if key in wanted:
                found.setdefault(key, read_set(value, resource.position))
        return found

    def _entry(self, candidate: EntryCandidate, cluster: str) -> None:
        name = name_of(candidate.value)
        self.live.add((candidate.document.path, candidate.document.index))
        build = self._build(candidate.path, candidate.value, name, candidate.document)
        references = [(resource, refer_to(resource)) for resource in build.resources]
        self.entries.append(_read_entry(candidate, references, build))
        before = len(self.components)
        for resource, _ in references:
            layer = layer_of(resource.top, candidate.path)
            self._follow(_Pending(resource, layer, name))
        if candidate.path.startswith(f"clusters/{cluster}") or len(self.entries) == 1:
            plain = {id(r): not flux.is_kustomization(r.value) for r in build.resources}
            added = self.components[before:]
            self.layers += build_layers(name, candidate.path, references, added, plain)

    def _follow(self, pending: _Pending) -> None:
        value = pending.resource.value
        if not flux.is_kustomization(value):
            return
        key = (namespace_of(value) or flux.DEFAULT_NAMESPACE, name_of(value))
        if key in self._visited:
            self._self_applied.setdefault(key, value)
            return
        self._visited.add(key)
        position = pending.resource.position
        component = flux.read_component(value, position, pending.layer, pending.parent)
        if component.source not in self._local:
            self.components.append(replace(component, is_local=False))
            return
        build = self._build(component.path, value, component.name, pending.resource.document)
        self.components.append(
            replace(
                component,
                objects=tuple(refer_to(resource) for resource in build.resources),
                build_failed=build.has_failed,
                has_kustomization_file=build.has_file,
            )
        )
        for resource in build.resources:
            self._follow(_Pending(resource, pending.layer, component.name))

    def _build(self, path: str, value: JsonObject, name: str, document: Document) -> Build:
        spec = get_mapping(value, "spec")
        if not self._tree.is_directory(path):
            self._tree.report(
                Finding(
                    "missing-path",
                    Severity.ERROR,
                    f"path of Kustomization `{name}` does not exist: `{path}`",
                    document.locate("spec", "path"),
                    "correct spec.path, or remove the Kustomization from its kustomization.yaml",
                )
            )
            return Build((), has_failed=True, has_file=False)
        build = self._builder.build(path, spec)
        for resource in build.resources:
            self.live.add((resource.document.path, resource.document.index))
            self.objects.append((name, resource))
        return build

    def _finish(self, entry: Entry) -> Entry:
        applied = self._self_applied.get((entry.namespace, entry.name))
        if applied is None:
            return entry
        spec = get_mapping(applied, "spec")
        return replace(
            entry,
            is_self_applied=True,
            raw=applied,
            decryption=get_mapping(spec, "decryption"),
            substitute_from=flux.substitute_sources(spec, entry.namespace),
        )


def _source_of(candidate: EntryCandidate) -> SourceKey:
    namespace = candidate.key[0]
    return flux.source_key(get_mapping(candidate.value, "spec", "sourceRef"), namespace)


def _read_entry(
    candidate: EntryCandidate, references: list[tuple[Resource, ObjectRef]], build: Build
) -> Entry:
    value = candidate.value
    spec = get_mapping(value, "spec")
    namespace, name = candidate.key
    return Entry(
        name=name,
        namespace=namespace,
        path=candidate.path,
        file=candidate.document.path,
        source=_source_of(candidate),
        is_self_applied=False,
        is_synthetic=candidate.is_synthetic,
        decryption=get_mapping(spec, "decryption"),
        substitute=flux.inline_variables(spec),
        substitute_from=flux.substitute_sources(spec, namespace),
        patches=get_mappings(spec, "patches"),
        objects=tuple(reference for _, reference in references),
        build_failed=build.has_failed,
        raw=value,
        position=candidate.document.position,
    )


def _resolve(walk: _Walk) -> tuple[tuple[Release, ...], tuple[Source, ...]]:
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


def _with_releases(component: Component, releases: tuple[Release, ...]) -> Component:
    own = tuple(release for release in releases if release.component == component.name)
    return replace(component, releases=own) if own else component


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


def _dead(found: list[Found], walk: _Walk) -> list[DeadObject]:
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

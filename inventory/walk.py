"""Follow Flux Kustomizations from the entries down, each one once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from inventory import flux
from inventory.artifact import explain_absence
from inventory.builds import Build
from inventory.discovery import EntryCandidate
from inventory.documents import Document
from inventory.kustomization import Builder
from inventory.layers import build_layers, layer_of
from inventory.model import (
    Component,
    Entry,
    Finding,
    JsonObject,
    Layer,
    ObjectRef,
    Position,
    SourceKey,
    VariableSet,
)
from inventory.objects import get_mapping, get_mappings, kind_of, name_of, namespace_of
from inventory.resources import Resource, refer_to
from inventory.rules import make_finding
from inventory.tree import Tree
from inventory.variables import read_set


@dataclass(slots=True)
class _Pending:
    """A Kustomization that a build produced and that is to be followed."""

    resource: Resource
    layer: str
    parent: str


class Walk:
    """What the walk has found so far; `run` fills it."""

    def __init__(self, tree: Tree, views: Mapping[SourceKey, Tree]) -> None:
        self.entries: list[Entry] = []
        self.components: list[Component] = []
        self.layers: list[Layer] = []
        self.live: set[tuple[str, int]] = set()
        self.objects: list[tuple[str, Resource]] = []
        self._tree = tree
        self._views = views
        self._builders: dict[SourceKey, Builder] = {}
        self._local: set[SourceKey] = set()
        self._visited: set[tuple[str, str]] = set()
        self._self_applied: dict[tuple[str, str], JsonObject] = {}

    def run(self, candidates: list[EntryCandidate], cluster: str) -> None:
        """Follow every entry; call once."""
        self._visited = {candidate.key for candidate in candidates}
        self._local = {candidate.source for candidate in candidates}
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
        build = self._build(candidate.path, candidate.value, candidate.document, candidate.source)
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
        build = self._build(component.path, value, pending.resource.document, component.source)
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

    def _build(self, path: str, value: JsonObject, document: Document, source: SourceKey) -> Build:
        spec, name = get_mapping(value, "spec"), name_of(value)
        tree = self._views.get(source, self._tree)
        if not tree.is_directory(path):
            place = document.locate("spec", "path")
            self._tree.report(_find_absence(tree, path, name, place))
            return Build((), has_failed=True, has_file=False)
        builder = self._builders.setdefault(source, Builder(tree))
        build = builder.build(path, spec)
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


def _find_absence(tree: Tree, path: str, name: str, place: Position) -> Finding:
    if absence := explain_absence(tree, path):
        message = f"path of Kustomization `{name}` {absence}: `{path}`"
        return make_finding("not-in-artifact", message, place)
    message = f"path of Kustomization `{name}` does not exist: `{path}`"
    return make_finding("missing-path", message, place)


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
        source=candidate.source,
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

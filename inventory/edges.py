"""Which component needs which: what the repository declares, and what its objects show.

Of 2,025 Kustomizations in real repositories 5.6 % have a `dependsOn`, so most edges are inferred.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from inventory.catalogue import Origin, find_provider
from inventory.classes import class_edges
from inventory.crds import CRD_KIND, crd_key, find_custom_resources
from inventory.model import Edge, EdgeKind, Inventory, ObjectRef, Position, Release, Rendered
from inventory.needs import find_needs
from inventory.webhooks import webhook_edges

_NOTHING: Mapping[str, frozenset[str]] = {}
_NOT_RENDERED = Rendered()


@dataclass(frozen=True, slots=True)
class _Use:
    """A component that holds an object of a kind."""

    component: str
    group_kind: str
    position: Position


def infer_edges(inventory: Inventory, rendered: Rendered = _NOT_RENDERED) -> tuple[Edge, ...]:
    """Return every edge between different components, declared ones first.

    Charts that were not rendered fall back on the catalogue.
    """
    edges = [
        *inventory.edges,
        *parent_edges(inventory),
        *release_edges(inventory),
        *crd_edges(inventory, rendered.provided, rendered.consumed),
        *need_edges(inventory),
        *class_edges(inventory),
        *webhook_edges(inventory, rendered.guarded),
        *namespace_edges(inventory),
        *source_edges(inventory),
        *substitution_edges(inventory),
    ]
    return tuple(dict.fromkeys(edge for edge in edges if edge.consumer != edge.provider))


def parent_edges(inventory: Inventory) -> Iterator[Edge]:
    """Yield an edge for each component that another component (not an entry) applies."""
    entries = {entry.name for entry in inventory.entries}
    for component in inventory.components:
        if component.parent and component.parent not in entries:
            yield Edge(
                component.name,
                component.parent,
                EdgeKind.PARENT,
                f"is applied by {component.parent}",
                component.position,
                is_declared=True,
            )


def release_edges(inventory: Inventory) -> Iterator[Edge]:
    """Yield an edge for each `dependsOn` of a HelmRelease in another component."""
    owners = {(r.namespace, r.name): r.component for r in inventory.releases}
    for release in inventory.releases:
        for key in release.depends_on:
            if key in owners:
                yield Edge(
                    release.component,
                    owners[key],
                    EdgeKind.RELEASE,
                    f"HelmRelease {release.name} depends on {key[0]}/{key[1]}",
                    release.position,
                    (f"{key[0]}/{key[1]}",),
                    is_declared=True,
                )


def crd_edges(
    inventory: Inventory,
    provided: Mapping[str, frozenset[str]] = _NOTHING,
    consumed: Mapping[str, frozenset[str]] = _NOTHING,
) -> tuple[Edge, ...]:
    """Return who holds custom resources and who brings their CRDs.

    Unlike `infer_edges` this keeps edges of a component to itself: such a component holds custom
    resources beside the release that brings their CRDs and cannot be applied to an empty cluster.
    A definition that lies there as a manifest is applied first, so it makes none.
    """
    providers = _Providers(inventory, provided)
    grouped: dict[tuple[str, str], list[_Use]] = {}
    for use in _uses(inventory, consumed):
        provider = providers.find(use.group_kind)
        if provider and not providers.has_manifest(use.component, use.group_kind):
            grouped.setdefault((use.component, provider), []).append(use)
    return tuple(
        _crd_edge(consumer, provider, uses)
        for (consumer, provider), uses in sorted(grouped.items())
    )


def find_unprovided(
    inventory: Inventory, provided: Mapping[str, frozenset[str]] = _NOTHING
) -> tuple[tuple[str, ObjectRef], ...]:
    """Return live custom resources (with their component) whose CRD nothing live brings.

    Groups that the catalogue does not know are left out, unless a chart was rendered for them.
    """
    providers = _Providers(inventory, provided)
    return tuple(
        (item.component, item.reference)
        for item in find_custom_resources(inventory)
        if not providers.find(item.reference.group_kind)
        and _is_expected_from_chart(item.reference.group)
    )


def need_edges(inventory: Inventory) -> Iterator[Edge]:
    """Yield an edge where chart or values ask for custom resources of another release."""
    providers = _Providers(inventory, _NOTHING)
    for release in inventory.releases:
        for need in find_needs(release):
            provider = providers.find(f"{need.group}/")
            if provider and provider != release.component:
                reason = f"asks for objects of {need.group}, which {provider} brings"
                yield Edge(
                    release.component,
                    provider,
                    EdgeKind.CRD,
                    reason,
                    release.position,
                    (need.group,),
                )


def namespace_edges(inventory: Inventory) -> Iterator[Edge]:
    """Yield an edge where a component's objects live in a namespace another component creates."""
    creators: dict[str, set[str]] = {}
    for owner, item in inventory.objects():
        if item.kind == "Namespace" and item.group == "":
            creators.setdefault(item.name, set()).add(owner)
    entries = {entry.name for entry in inventory.entries}
    for component in inventory.components:
        wanted = {item.namespace: item.position for item in reversed(component.objects)}
        for namespace, position in sorted(wanted.items()):
            owners = creators.get(namespace, set())
            if not owners or component.name in owners or owners & entries:
                continue
            provider = min(owners)
            reason = f"has objects in namespace {namespace}, which {provider} creates"
            yield Edge(component.name, provider, EdgeKind.NAMESPACE, reason, position, (namespace,))


def source_edges(inventory: Inventory) -> Iterator[Edge]:
    """Yield an edge where a release or Kustomization uses a source another component applies."""
    owners = {source.key: source.component for source in inventory.sources}
    entries = {entry.name for entry in inventory.entries}
    uses = [(r.component, r.source, r.position) for r in inventory.releases]
    uses += [(c.name, c.source, c.position) for c in inventory.components]
    for consumer, key, position in uses:
        provider = owners.get(key, "")
        if provider and provider not in entries:
            reason = f"uses {key}, which {provider} applies"
            yield Edge(consumer, provider, EdgeKind.SOURCE, reason, position, (str(key),))


def substitution_edges(inventory: Inventory) -> Iterator[Edge]:
    """Yield an edge where `substituteFrom` names an object that another component applies."""
    owners = {
        (item.kind, item.namespace, item.name): owner
        for owner, item in inventory.objects()
        if item.kind in ("ConfigMap", "Secret") and item.group == ""
    }
    entries = {entry.name for entry in inventory.entries}
    for component in inventory.components:
        for source in component.substitute_from:
            provider = owners.get((source.kind, source.namespace, source.name), "")
            if provider and provider not in entries and not source.optional:
                reason = f"substitutes from {source}, which {provider} applies"
                yield Edge(
                    component.name,
                    provider,
                    EdgeKind.SUBSTITUTION,
                    reason,
                    component.position,
                    (str(source),),
                )


class _Providers:
    """Finds the component that brings the CRD of a kind."""

    def __init__(self, inventory: Inventory, provided: Mapping[str, frozenset[str]]) -> None:
        self._provided = provided
        self._answers: dict[str, str] = {}
        self._known: dict[str, list[str]] = {}
        self._by_name: dict[str, list[Release]] = {}
        self._manifests: set[tuple[str, str]] = set()
        for owner, item in inventory.objects():
            if item.kind == CRD_KIND:
                self._known.setdefault(crd_key(item.raw), []).append(owner)
                self._manifests.add((owner, crd_key(item.raw)))
        for release in inventory.releases:
            for name in _names(release):
                self._by_name.setdefault(name, []).append(release)
            for group_kind in provided.get(release.id, ()):
                self._known.setdefault(group_kind, []).append(release.component)

    def find(self, group_kind: str) -> str:
        """Return the component's name; empty when nothing live brings the CRD."""
        if group_kind not in self._answers:
            self._answers[group_kind] = self._find(group_kind)
        return self._answers[group_kind]

    def has_manifest(self, component: str, group_kind: str) -> bool:
        """Tell whether a component holds the CRD itself, not in a chart.

        Flux applies definitions of a Kustomization before it looks at the rest of it
        (fluxcd/pkg `ssa.ResourceManager.ApplyAllStaged`).
        """
        return (component, group_kind) in self._manifests

    def _find(self, group_kind: str) -> str:
        listed = self._from_catalogue(group_kind)
        known = self._known.get(group_kind, ())
        if known:
            return listed if listed in known else known[0]
        return listed

    def _from_catalogue(self, group_kind: str) -> str:
        entry = find_provider(group_kind.partition("/")[0])
        if entry is None:
            return ""
        for name in entry.names:
            for release in self._by_name.get(name, ()):
                if self._may_provide(release, group_kind, entry.origin):
                    return release.component
        return ""

    def _may_provide(self, release: Release, group_kind: str, origin: Origin) -> bool:
        if origin is Origin.CONTROLLER or release.id not in self._provided:
            return True
        return group_kind in self._provided[release.id]


def _names(release: Release) -> set[str]:
    """Return the charts that a release may stand for."""
    # Generic charts say nothing; there the release's own name decides, too.
    is_generic = release.chart in ("app-template", "")
    return {release.chart, *((release.name, release.component) if is_generic else ())}


def _uses(inventory: Inventory, consumed: Mapping[str, frozenset[str]]) -> Iterator[_Use]:
    for item in find_custom_resources(inventory):
        yield _Use(item.component, item.reference.group_kind, item.reference.position)
    for release in inventory.releases:
        for group_kind in sorted(consumed.get(release.id, ())):
            yield _Use(release.component, group_kind, release.position)


def _crd_edge(consumer: str, provider: str, uses: Iterable[_Use]) -> Edge:
    found = list(uses)
    kinds = tuple(sorted({use.group_kind.partition("/")[2] for use in found}))
    reason = f"has {', '.join(kinds)}, whose CRDs {provider} brings"
    return Edge(consumer, provider, EdgeKind.CRD, reason, found[0].position, kinds)


def _is_expected_from_chart(group: str) -> bool:
    entry = find_provider(group)
    return entry is not None and entry.origin not in (Origin.TALOS, Origin.FLUX)

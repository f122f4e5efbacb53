"""Checks of entries, Kustomizations, releases and sources."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from inventory.checks.facts import Facts
from inventory.flux import is_source
from inventory.model import Component, Entry, Finding, Position, Release, Severity, SourceKey
from inventory.namespaces import undeclared_namespaces
from inventory.objects import get_strings, kind_of, name_of
from inventory.removals import find_removal
from inventory.resources import NAMESPACED_KINDS
from inventory.rules import make_finding
from inventory.support import minor_of
from inventory.tree import join, normalise, parent

_REMOVED = {
    "helm.toolkit.fluxcd.io": ("v2beta1", "v2beta2"),
    "kustomize.toolkit.fluxcd.io": ("v1beta1", "v1beta2"),
    "source.toolkit.fluxcd.io": ("v1beta1", "v1beta2"),
}
_RANGE_MARKS = frozenset("*xX><=~^| ,")


def check_flux(facts: Facts) -> Iterator[Finding]:
    """Yield what is wrong with Flux objects and their builds."""
    yield from _entries(facts)
    has_sources = bool(facts.inventory.sources) or any(
        is_source(d.raw) for d in facts.inventory.dead
    )
    yield from _sources(facts) if has_sources else map(_external, _sources(facts))
    yield from _namespaces(facts)
    yield from _without_namespace(facts)
    yield from _owners(facts)
    yield from _components(facts)
    yield from _releases(facts)
    yield from _dead(facts)
    yield from _files(facts)


def _entries(facts: Facts) -> Iterator[Finding]:
    inventory = facts.inventory
    if not inventory.entries:
        place = Position(join("clusters", inventory.cluster))
        yield make_finding("no-entry", "no Flux Kustomization reaches this cluster", place)
    seen: dict[tuple[str, str], Entry] = {}
    for entry in inventory.entries:
        other = seen.setdefault((entry.namespace, entry.name), entry)
        if other.path != entry.path:
            message = f"two entries have one name: `{entry.name}` for {other.path} and {entry.path}"
            place = facts.locate(entry.position, "metadata", "name")
            yield make_finding("entry-named-twice", message, place)
        if entry.build_failed:
            message = f"build of entry fails: `{entry.name}`"
            yield make_finding("entry-build-failed", message, entry.position)
        if not entry.is_self_applied and not entry.is_synthetic:
            message = f"no kustomization lists the entry: `{entry.name}`"
            yield make_finding("entry-not-in-tree", message, entry.position)


def _sources(facts: Facts) -> Iterator[Finding]:
    inventory = facts.inventory
    known = {source.key for source in inventory.sources}
    known |= {entry.source for entry in inventory.entries if entry.is_synthetic}
    for release in inventory.releases:
        if release.source not in known:
            keys = ("chartRef",) if release.is_chart_ref else ("chart", "spec", "sourceRef")
            place = facts.locate(release.position, "spec", *keys)
            yield _missing("HelmRelease", release.name, release.source, place)
    owners = [(c.name, c.source, c.position) for c in inventory.components]
    owners += [(e.name, e.source, e.position) for e in inventory.entries]
    for name, source, position in owners:
        if source not in known:
            place = facts.locate(position, "spec", "sourceRef")
            yield _missing("Kustomization", name, source, place)
    for live in inventory.sources:
        if not live.is_used:
            message = f"nothing live uses the source: `{live.key}`"
            yield make_finding("unused-source", message, live.position)


def _missing(kind: str, name: str, source: SourceKey, place: Position) -> Finding:
    message = f"source of {kind} `{name}` does not exist: `{source}`"
    return make_finding("missing-source", message, place)


def _external(finding: Finding) -> Finding:
    """Return what a repository without any source means: a tenant, whose sources lie elsewhere."""
    message = finding.message.replace("does not exist", "lies outside this repository")
    hint = "make sure that whoever applies the entry declares it"
    return replace(finding, severity=Severity.WARNING, message=message, hint=hint)


def _namespaces(facts: Facts) -> Iterator[Finding]:
    for namespace, users in undeclared_namespaces(facts.inventory).items():
        owner, text, position = users[0]
        others = f" and {len(users) - 1} more" if len(users) > 1 else ""
        message = f"no live manifest creates namespace `{namespace}` of {text}{others} in {owner}"
        yield make_finding(
            "namespace-not-declared", message, facts.locate(position, "metadata", "namespace")
        )


def _without_namespace(facts: Facts) -> Iterator[Finding]:
    for owner, item in facts.inventory.objects():
        if not item.namespace and (item.group, item.kind) in NAMESPACED_KINDS:
            message = f"object in `{owner}` has no namespace: `{item}`"
            place = facts.locate(item.position, "metadata")
            yield make_finding("no-namespace", message, place)


def _owners(facts: Facts) -> Iterator[Finding]:
    owners: dict[tuple[str, str, str, str], list[tuple[str, Position]]] = defaultdict(list)
    for owner, item in facts.inventory.objects():
        known = owners[item.identity]
        if all(owner != name for name, _ in known):
            known.append((owner, item.position))
    for (_, kind, _, name), found in owners.items():
        if len(found) > 1:
            names = ", ".join(owner for owner, _ in found)
            message = f"object is applied by several Kustomizations ({names}): `{kind}/{name}`"
            yield make_finding("object-owned-twice", message, found[1][1])


def _components(facts: Facts) -> Iterator[Finding]:
    known = {(c.namespace, c.name) for c in facts.inventory.components}
    known |= {(e.namespace, e.name) for e in facts.inventory.entries}
    for component in facts.inventory.components:
        for index, key in enumerate(component.depends_on):
            if key not in known:
                message = (
                    f"Kustomization `{component.name}` depends on what is not live: `{key[1]}`"
                )
                place = facts.locate(component.position, "spec", "dependsOn", index)
                yield make_finding("missing-dependency", message, place)
        yield from _component_notes(facts, component)
    for path in facts.inventory.unlisted_directories:
        message = f"directory looks like a layer but nothing lists it: `{path}`"
        yield make_finding(
            "layer-not-listed", message, Position(join(parent(path), "kustomization.yaml"))
        )


def _component_notes(facts: Facts, component: Component) -> Iterator[Finding]:
    if component.suspend:
        place = facts.locate(component.position, "spec", "suspend")
        yield make_finding("suspended", f"Kustomization is suspended: `{component.name}`", place)
    if component.is_local and not component.has_kustomization_file and not component.build_failed:
        message = f"path of Kustomization has no kustomization.yaml: `{component.path}`"
        place = facts.locate(component.position, "spec", "path")
        yield make_finding("no-kustomization-file", message, place)
    if component.is_local and component.name not in component.path.split("/"):
        message = f"Kustomization `{component.name}` has another directory: `{component.path}`"
        yield make_finding("name-differs-from-directory", message, component.position)


def _releases(facts: Facts) -> Iterator[Finding]:
    known = {(r.namespace, r.name) for r in facts.inventory.releases}
    for release in facts.inventory.releases:
        for index, key in enumerate(release.depends_on):
            if key not in known:
                message = f"HelmRelease `{release.name}` depends on what is not live: `{key[1]}`"
                place = facts.locate(release.position, "spec", "dependsOn", index)
                yield make_finding("missing-dependency", message, place)
        if release.suspend:
            place = facts.locate(release.position, "spec", "suspend")
            yield make_finding("suspended", f"HelmRelease is suspended: `{release.name}`", place)
        if _is_unpinned(release):
            version = release.version or "none"
            message = f"chart version of `{release.name}` is not pinned: `{version}`"
            keys = () if release.is_chart_ref else ("spec", "chart", "spec", "version")
            yield make_finding("unpinned-version", message, facts.locate(release.position, *keys))
    yield from _versions(facts)


def _is_unpinned(release: Release) -> bool:
    if release.is_chart_ref and not release.chart:
        return False  # its source is missing, which is a finding of its own
    version = release.version.partition("@")[0]
    return not version or bool(_RANGE_MARKS & set(version.partition("-")[0]))


def _versions(facts: Facts) -> Iterator[Finding]:
    for _, item in facts.inventory.objects():
        group, _, version = item.api_version.rpartition("/")
        if version in _REMOVED.get(group, ()):
            message = f"API version is no longer served: `{item.api_version}`"
            place = facts.locate(item.position, "apiVersion")
            yield make_finding("removed-api-version", message, place)
    yield from _removed_from_kubernetes(facts)


def _removed_from_kubernetes(facts: Facts) -> Iterator[Finding]:
    """Yield objects that neither today's Kubernetes serves nor the one an upgrade leads to."""
    versions = [s.value for s in facts.inventory.versions if s.subject == "kubernetes"]
    known = [minor for text in versions if (minor := minor_of(text)) is not None]
    for _, item in facts.inventory.objects() if known else ():
        removal = find_removal(item.api_version, item.kind)
        if removal is not None and max(known) >= removal[0]:
            message = (
                f"Kubernetes serves {item} no longer since 1.{removal[0]}: `{item.api_version}`"
            )
            place = facts.locate(item.position, "apiVersion")
            hint = f"use {removal[1]}"
            yield make_finding("removed-api-version", message, place, hint)


def _dead(facts: Facts) -> Iterator[Finding]:
    live = {source.key: source for source in facts.inventory.sources}
    for item in facts.inventory.dead:
        key = SourceKey(item.kind, item.namespace or "flux-system", item.name)
        if is_source(item.raw) and key in live:
            message = f"source is declared twice, live in {live[key].position.path}: `{key}`"
            yield make_finding("source-defined-twice", message, item.position)
        else:
            message = f"nothing live leads to {kind_of(item.raw)}: `{name_of(item.raw)}`"
            yield make_finding("dead-object", message, item.position)


def _files(facts: Facts) -> Iterator[Finding]:
    for path in facts.tree.kustomizations():
        for document in facts.tree.documents(path)[:1]:
            for index, item in enumerate(get_strings(document.value, "resources")):
                target = normalise(join(parent(path), item))
                if target == path:
                    place = document.locate("resources", index)
                    yield make_finding("lists-itself", "kustomization lists itself", place)
                elif target is not None and facts.tree.is_empty(target):
                    place = document.locate("resources", index)
                    message = f"listed file holds no object: `{target}`"
                    yield make_finding("empty-live-file", message, place)

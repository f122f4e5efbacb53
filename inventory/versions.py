"""Every place in a repository that states a version of Talos, Kubernetes or Flux."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from inventory.model import ObjectRef, Position, Release, Source, Statement, TalosConfig
from inventory.objects import find_texts, get_mapping, get_text
from inventory.tree import Tree

_FLUX_INSTALL = re.compile(r"fluxcd/flux2/manifests/install\?ref=([\w.+-]+)")
_KUBECTL_IMAGE = re.compile(r"((?:[\w.-]+(?::\d+)?/)*kubectl):(v?\d[\w.-]*)")
_MINOR = re.compile(r"v?(\d+)\.(\d+)")
_SETTINGS = (("TALOS_VERSION", "talos"), ("KUBERNETES_VERSION", "kubernetes"))
_OPERATOR_CHARTS = ("flux-instance", "flux-operator")


def find_versions(
    tree: Tree,
    talos: TalosConfig | None,
    objects: Iterable[tuple[str, ObjectRef]],
    releases: Iterable[Release],
    sources: Iterable[Source],
) -> tuple[Statement, ...]:
    """Return all statements: machines first, then settings, plans, Flux and images."""
    live = list(objects)
    return (
        *_talconfig(talos),
        *_settings(live),
        *_plans(live),
        *_flux(tree, releases, sources),
        *_images(tree, live),
    )


def find_drift(statements: Iterable[Statement]) -> dict[str, tuple[Statement, ...]]:
    """Return the statements of each subject that has more than one value."""
    by_subject: dict[str, list[Statement]] = {}
    for statement in statements:
        if not statement.note and statement.subject != "kubectl image":
            by_subject.setdefault(statement.subject, []).append(statement)
    return {
        subject: tuple(found)
        for subject, found in by_subject.items()
        if len({statement.value for statement in found}) > 1
    }


def minor_distance(one: str, other: str) -> int:
    """Return how many minor versions lie between two; 0 when one of them has no number."""
    first, second = _MINOR.match(one), _MINOR.match(other)
    if first is None or second is None:
        return 0
    return abs(int(first[2]) - int(second[2]))


def _talconfig(talos: TalosConfig | None) -> Iterator[Statement]:
    if talos is not None:
        yield Statement("talos", talos.path, talos.talos_version, talos.position)
        yield Statement("kubernetes", talos.path, talos.kubernetes_version, talos.position)


def _settings(live: Iterable[tuple[str, ObjectRef]]) -> Iterator[Statement]:
    for _, item in live:
        if item.kind != "ConfigMap" or item.group:
            continue
        for key, subject in _SETTINGS:
            value = get_text(item.raw, "data", key)
            if value:
                yield Statement(subject, item.position.path, value, item.position)


def _plans(live: Iterable[tuple[str, ObjectRef]]) -> Iterator[Statement]:
    found: list[tuple[bool, Statement]] = []
    for owner, item in live:
        subject, value = _plan(item)
        if subject:
            note = "filled from upgrade-settings" if "${" in value else ""
            source = f"{item} in {owner}"
            statement = Statement(subject, source, value, item.position, note)
            found.append((item.kind != "Plan", statement))
    for _, statement in sorted(found, key=lambda pair: (pair[0], pair[1].subject)):
        yield statement


def _plan(item: ObjectRef) -> tuple[str, str]:
    if item.kind == "Plan" and item.group == "upgrade.cattle.io":
        subject = "kubernetes" if "kube" in item.name.lower() else "talos"
        return subject, get_text(item.raw, "spec", "version")
    if item.kind == "TalosUpgrade":
        return "talos", get_text(item.raw, "spec", "talos", "version")
    if item.kind == "KubernetesUpgrade":
        return "kubernetes", get_text(item.raw, "spec", "kubernetes", "version")
    return "", ""


def _flux(
    tree: Tree, releases: Iterable[Release], sources: Iterable[Source]
) -> Iterator[Statement]:
    for path in tree.template_files():
        for number, line in enumerate((tree.text(path) or "").splitlines(), 1):
            match = _FLUX_INSTALL.search(line)
            if match:
                yield Statement("flux", path, match[1], Position(path, number, match.start(1) + 1))
    for source in sources:
        if source.url.endswith("/flux-manifests"):
            tag = get_text(source.ref, "tag")
            yield Statement("flux", f"{source.kind}/{source.name}", tag, source.position)
    for release in sorted(releases, key=lambda release: release.component):
        if release.chart in _OPERATOR_CHARTS:
            yield from _operator(release)


def _operator(release: Release) -> Iterator[Statement]:
    source = f"HelmRelease/{release.name}"
    note = "operator chart version, not a Flux version"
    yield Statement("flux", f"{source} chart", release.version, release.position, note)
    version = get_text(get_mapping(release.values, "instance", "distribution"), "version")
    if version:
        note = "a range" if "x" in version or "*" in version else ""
        place = f"{source} values instance.distribution.version"
        yield Statement("flux", place, version, release.position, note)


def _images(tree: Tree, live: Iterable[tuple[str, ObjectRef]]) -> Iterator[Statement]:
    found: dict[tuple[str, str], Statement] = {}
    for owner, item in live:
        if not tree.mentions(item.position.path, "kubectl:"):
            continue
        for text in find_texts(item.raw):
            if "kubectl:" not in text:
                continue
            match = _KUBECTL_IMAGE.fullmatch(text.partition("@")[0])
            if match:
                source = f"{match[1]} in {owner}"
                found.setdefault(
                    (source, match[2]),
                    Statement("kubectl image", source, match[2], item.position),
                )
    yield from sorted(found.values(), key=lambda statement: statement.source)

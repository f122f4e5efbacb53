"""Faults of releases and of what they need: sources, versions, values, namespaces, API versions."""

from __future__ import annotations

from inventory import Source
from lab.faults.repository.tree import DoesNotApplyError, Tree
from lab.faults.repository.values import RepositoryFault, answered_by
from lab.kubernetes.values import Json, Object, grow

__all__ = ["RELEASE_FAULTS"]

_FLUX = "https://fluxcd.io/flux/components/"


def _pick_source(tree: Tree) -> Source:
    used = {release.source for release in tree.inventory.releases}
    for source in tree.inventory.sources:
        if source.key in used and tree.is_clear(source.position):
            return source
    raise DoesNotApplyError("no release takes its chart from a source of this repository")


def _remove_source(tree: Tree) -> None:
    tree.unlist(_pick_source(tree).position.path)


def _forget_namespace(tree: Tree) -> None:
    for component in tree.list_components():
        homes = {release.namespace for release in component.releases}
        for item in component.objects:
            if item.kind == "Namespace" and item.name in homes and tree.is_clear(item.position):
                tree.unlist(item.position.path)
                return
    raise DoesNotApplyError("no component declares the namespace of its own release")


def _change_release(tree: Tree, **changes: Json) -> None:
    release = next(
        (
            one
            for component in tree.list_components()
            for one in component.releases
            if tree.is_clear(one.position)
        ),
        None,
    )
    if release is None:
        raise DoesNotApplyError("it has no HelmRelease in clear")

    def change(document: Object) -> None:
        grow(document, "spec").update(changes)

    tree.change(release.position.path, change, kind="HelmRelease", name=release.name)


def _unpin(tree: Tree) -> None:
    release = next((one for one in tree.inventory.releases if not one.is_chart_ref), None)
    if release is None:
        raise DoesNotApplyError("no HelmRelease names a chart and its version")

    def unpin(document: Object) -> None:
        grow(document, "spec", "chart", "spec")["version"] = "*"

    tree.change(release.position.path, unpin, kind="HelmRelease", name=release.name)


def _take_values_from_nowhere(tree: Tree) -> None:
    _change_release(tree, valuesFrom=[{"kind": "ConfigMap", "name": "lab-absent"}])


def _use_removed_api(tree: Tree) -> None:
    budget: Object = {
        "apiVersion": "policy/v1beta1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "lab-old", "namespace": "default"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "lab-old"}}},
    }
    tree.add_object(tree.pick_component(), "lab-old", budget)


RELEASE_FAULTS = (
    RepositoryFault(
        "source-absent",
        "The source of a chart is in no kustomization any more.",
        f"{_FLUX}helm/helmreleases/#chart-template",
        _remove_source,
        answered_by("missing-source"),
    ),
    RepositoryFault(
        "namespace-absent",
        "A release lies in a namespace that no manifest creates.",
        f"{_FLUX}helm/helmreleases/#install-configuration",
        _forget_namespace,
        answered_by("namespace-not-declared"),
    ),
    RepositoryFault(
        "version-unpinned",
        "A chart's version is `*`: a rebuild gets another one.",
        f"{_FLUX}helm/helmreleases/#chart-template",
        _unpin,
        answered_by("unpinned-version"),
    ),
    RepositoryFault(
        "values-absent",
        "A release takes values from a ConfigMap that nobody declares.",
        f"{_FLUX}helm/helmreleases/#values-references",
        _take_values_from_nowhere,
        answered_by("missing-values-source"),
    ),
    RepositoryFault(
        "api-removed",
        "A manifest uses an API version that Kubernetes no longer serves.",
        "https://kubernetes.io/docs/reference/using-api/deprecation-guide/",
        _use_removed_api,
        answered_by("removed-api-version"),
    ),
)

"""Why a HelmRelease is not ready."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lifecycle.diagnosis.catalogue import match_message
from lifecycle.diagnosis.flux import (
    describe_failure,
    explain_dependencies,
    find_missing_source,
    is_ready,
    list_named_objects,
)
from lifecycle.diagnosis.scene import Scene
from lifecycle.diagnosis.values import Diagnosis, Key, key_of
from lifecycle.drivers.documents import flag_at, object_at, text_at
from lifecycle.drivers.kubernetes import KubernetesObject

__all__ = ["explain_release"]

# Signatures that say only that something else was waited for.
_VAGUE = frozenset(
    {
        *("release-waits", "release-exhausted", "release-failing", "hook-failed"),
        *("health-says-failed", "expression-without-value"),
    }
)
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "Pod", "Cluster")


def explain_release(scene: Scene, key: Key, item: KubernetesObject | None) -> Diagnosis | None:
    """Explain a HelmRelease: chart, dependencies, what Helm said, then what it installed."""
    if item is None:
        return _explain_absence(scene, key)
    ready = is_ready(item)
    if not ready and flag_at(item.raw, "spec", "suspend"):
        return scene.name_cause("suspended")
    failure = _describe(item)
    found = None if ready else _explain_prerequisites(scene, item) or _explain_words(scene, failure)
    if found is None or found.signature in _VAGUE:
        found = _explain_objects(scene, item, failure) or found
    if found is None and not ready:
        found = scene.blame(failure, "release-failing")
    return (
        found.under(f"{key}: {failure}" if not ready else f"{key} is installed") if found else None
    )


def _describe(item: KubernetesObject) -> str:
    """Say what Ready says; a stalled release says elsewhere why."""
    failure = describe_failure(item)
    released = item.condition("Released")
    stalled = item.condition("Stalled")
    if stalled and stalled.is_true and stalled.message not in failure:
        failure = f"{failure} ({stalled.reason}: {stalled.message})"
    if released and not released.is_true and released.message not in failure:
        failure = f"{failure}; {released.message}"
    return failure


def _explain_prerequisites(scene: Scene, item: KubernetesObject) -> Diagnosis | None:
    template = object_at(item.raw, "spec", "chart", "spec")
    if template:
        reference = object_at(template, "sourceRef")
        space = text_at(reference, "namespace") or item.namespace
        repository = Key(text_at(reference, "kind"), space, text_at(reference, "name"))
        chart = Key("HelmChart", space, f"{item.namespace}-{item.name}")
        found = find_missing_source(scene, repository) or scene.explain(repository)
        if found is None and scene.sight.find(chart) is not None:
            found = scene.explain(chart)
    else:
        reference = object_at(item.raw, "spec", "chartRef")
        space = text_at(reference, "namespace") or item.namespace
        source = Key(text_at(reference, "kind"), space, text_at(reference, "name"))
        found = find_missing_source(scene, source) or scene.explain(source)
    return found or explain_dependencies(scene, item)


def _explain_words(scene: Scene, failure: str) -> Diagnosis | None:
    return scene.blame(failure, "release-failing") if match_message(failure) else None


def _explain_objects(scene: Scene, item: KubernetesObject, failure: str) -> Diagnosis | None:
    """Explain what the release installed; what a remedy has removed again left events behind."""
    found = scene.explain_first(list_named_objects(failure))
    found = found or scene.explain_first(_list_installed(scene, item))
    if found or is_ready(item):
        return found
    return scene.explain_first(_list_gone_pods(scene, item, failure))


def _list_installed(scene: Scene, item: KubernetesObject) -> Iterator[Key]:
    """Yield the workloads that Helm says belong to the release."""
    for kind in _WORKLOADS:
        for workload in scene.sight.of_kind(kind):
            if _is_of(workload, item):
                yield key_of(workload)


def _is_of(workload: KubernetesObject, release: KubernetesObject) -> bool:
    annotations: Mapping[str, str] = workload.annotations
    space = text_at(release.raw, "spec", "targetNamespace") or release.namespace
    name = text_at(release.raw, "spec", "releaseName") or release.name
    return (
        annotations.get("meta.helm.sh/release-name") == name
        and annotations.get("meta.helm.sh/release-namespace") == space
    )


def _list_gone_pods(scene: Scene, item: KubernetesObject, failure: str) -> Iterator[Key]:
    """Yield pods that are gone and that events still speak of: those of the named workloads."""
    space = text_at(item.raw, "spec", "targetNamespace") or item.namespace
    names = [key.name for key in list_named_objects(failure)]
    names = names or [text_at(item.raw, "spec", "releaseName") or item.name]
    for key in scene.sight.find_talked_about("Pod", space):
        is_gone = scene.sight.find(key) is None
        if is_gone and any(key.name.startswith(f"{name}-") for name in names):
            yield key


def _explain_absence(scene: Scene, key: Key) -> Diagnosis:
    owner = scene.facts.kustomization_of(key)
    found = scene.explain(owner) if owner else None
    if found:
        return found.under(f"{key} is not there; {owner} applies it")
    return scene.name_cause("not-there", applier=f"; {owner} applies it" if owner else "")

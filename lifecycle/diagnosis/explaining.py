"""The walk over what was seen: pure, from what a step is about to the first causes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from lifecycle.diagnosis.asking import Room, Subject
from lifecycle.diagnosis.databases import explain_database
from lifecycle.diagnosis.facts import Facts
from lifecycle.diagnosis.flux import explain_kustomization, explain_source
from lifecycle.diagnosis.follow import FOLLOWERS
from lifecycle.diagnosis.nodes import explain_node
from lifecycle.diagnosis.pods import explain_pod
from lifecycle.diagnosis.releases import explain_release
from lifecycle.diagnosis.scene import Explainer, Scene
from lifecycle.diagnosis.services import (
    explain_addressless,
    explain_certificate,
    explain_service,
    list_silent_webhooks,
)
from lifecycle.diagnosis.sight import Sight
from lifecycle.diagnosis.storage import explain_claim, explain_volume
from lifecycle.diagnosis.values import Diagnosis, Key, key_of
from lifecycle.diagnosis.workloads import explain_job, explain_workload

__all__ = ["explain_objects", "explain_sight", "merge_causes"]

_SOURCES = ("GitRepository", "OCIRepository", "HelmRepository", "HelmChart", "Bucket")
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
_SHOWN = 4  # names of what waits for the same cause

_EXPLAINERS: Final[Mapping[str, Explainer]] = {
    "Kustomization": explain_kustomization,
    "HelmRelease": explain_release,
    **dict.fromkeys(_SOURCES, explain_source),
    **dict.fromkeys(_WORKLOADS, explain_workload),
    "Job": explain_job,
    "Pod": explain_pod,
    "PersistentVolumeClaim": explain_claim,
    "Volume": explain_volume,
    "Cluster": explain_database,
    "Service": explain_service,
    "Node": explain_node,
    **dict.fromkeys(("Certificate", "Issuer", "ClusterIssuer"), explain_certificate),
}


def explain_objects(sight: Sight, facts: Facts, keys: Iterable[Key]) -> tuple[Diagnosis, ...]:
    """Explain objects, each on its own; what is ready has nothing to be explained."""
    scene = Scene(sight, facts, _EXPLAINERS, FOLLOWERS)
    found = (scene.explain(key) for key in keys)
    return tuple(diagnosis for diagnosis in found if diagnosis)


def explain_sight(
    sight: Sight, facts: Facts, subject: Subject, awaited: Sequence[Sequence[Key]]
) -> tuple[Diagnosis, ...]:
    """Explain what a step or gate waits for; the first causes first, each once.

    Args:
        sight: What is seen.
        facts: What the repository says.
        subject: What the step is about.
        awaited: Kustomizations that should be ready by now, by layer; the first layer in which
            something is wrong decides.
    """
    found = explain_objects(sight, facts, _list_first(sight, facts, subject))
    if not found and subject.room is Room.PROMISES:
        found = _explain_promises(sight, facts)
    for layer in awaited:
        found = found or explain_objects(sight, facts, layer)
    return merge_causes(found)


def merge_causes(found: Sequence[Diagnosis]) -> tuple[Diagnosis, ...]:
    """Keep each cause once, with who else waits for it; what most wait for comes first."""
    waiting: dict[str, list[Diagnosis]] = {}
    for diagnosis in found:
        waiting.setdefault(diagnosis.cause, []).append(diagnosis)
    merged = sorted(waiting.values(), key=len, reverse=True)
    return tuple(_merge(group) for group in merged)


def _merge(group: Sequence[Diagnosis]) -> Diagnosis:
    # The shortest way to the cause is that of the object nearest to it.
    nearest = min(group, key=lambda diagnosis: len(diagnosis.evidence))
    tops = [d.evidence[0].partition(":")[0] for d in group if d is not nearest and d.evidence]
    others = [top for top in dict.fromkeys(tops) if top != nearest.evidence[0].partition(":")[0]]
    if not others:
        return nearest
    more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    line = f"waiting for the same: {', '.join(others[:_SHOWN])}{more}"
    return replace(nearest, evidence=(*nearest.evidence, line))


def _list_first(sight: Sight, facts: Facts, subject: Subject) -> Iterator[Key]:
    """List what comes before the components: nodes always, since everything stands on them."""
    yield from (key_of(item) for item in sight.of_kind("Node"))
    match subject.room:
        case Room.NODES:
            yield from _list_workloads(sight, "kube-system")
        case Room.FLUX:
            yield from _list_workloads(sight, "flux-system")
        case Room.SOURCES:
            for kind in _SOURCES:
                keys = (key_of(item) for item in sight.of_kind(kind))
                yield from (key for key in keys if key not in facts.idle)
        case _:
            return


def _list_workloads(sight: Sight, namespace: str) -> Iterator[Key]:
    for kind in _WORKLOADS:
        yield from (key_of(item) for item in sight.of_kind(kind, namespace))


def _explain_promises(sight: Sight, facts: Facts) -> tuple[Diagnosis, ...]:
    scene = Scene(sight, facts, _EXPLAINERS, FOLLOWERS)
    claims = [key_of(item) for item in sight.of_kind("PersistentVolumeClaim")]
    volumes = [key_of(item) for item in sight.of_kind("Volume")]
    databases = [key_of(item) for item in sight.of_kind("Cluster")]
    stored = [*claims, *volumes, *databases]
    found = explain_objects(sight, facts, [*list_silent_webhooks(scene), *stored])
    services = (
        explain_addressless(replace(scene, path=(key_of(item),)), item)
        for item in sight.of_kind("Service")
    )
    return (*found, *(diagnosis for diagnosis in services if diagnosis))

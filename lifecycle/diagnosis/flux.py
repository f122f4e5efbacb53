"""Why a Flux source or Kustomization is not ready."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lifecycle.diagnosis.scene import Scene
from lifecycle.diagnosis.values import Diagnosis, Key
from lifecycle.drivers.documents import flag_at, list_at, object_at, text_at
from lifecycle.drivers.kubernetes import KubernetesObject

__all__ = [
    "describe_failure",
    "explain_dependencies",
    "explain_kustomization",
    "explain_source",
    "find_missing_source",
    "is_ready",
    "list_named_objects",
]

# `Kind/namespace/name status: 'InProgress'`, as fluxcd/pkg/ssa lists what it waited for.
_WAITED_FOR = re.compile(r"([A-Z]\w+)/(?:([\w.-]+)/)?([\w.:-]+) status: '(\w+)'")
# What is explained first among the objects of a Kustomization: what others stand on.
_ORDER = ("HelmRelease", "Deployment", "StatefulSet", "DaemonSet", "Job", "PersistentVolumeClaim")


def explain_source(scene: Scene, key: Key, item: KubernetesObject | None) -> Diagnosis | None:
    """Explain a source; a HelmChart by the repository that it is fetched from."""
    if item is None:
        return scene.name_cause("not-there")
    if key.kind == "HelmRepository" and text_at(item.raw, "spec", "type") == "oci":
        return None  # static: Flux gives it no status
    if is_ready(item):
        return None
    if flag_at(item.raw, "spec", "suspend"):
        return scene.name_cause("suspended")
    if key.kind == "HelmChart":
        reference = object_at(item.raw, "spec", "sourceRef")
        source = Key(text_at(reference, "kind"), key.namespace, text_at(reference, "name"))
        found = find_missing_source(scene, source) or scene.explain(source)
        if found:
            return found.under(f"{key}: {describe_failure(item)}")
    return scene.blame(describe_failure(item), "source-failing").under(
        f"{key}: {describe_failure(item)}"
    )


def explain_kustomization(
    scene: Scene, key: Key, item: KubernetesObject | None
) -> Diagnosis | None:
    """Explain a Kustomization: source, dependencies, its own build, then what it applied."""
    if item is None:
        return _explain_absence(scene, key)
    ready = is_ready(item)
    if not ready and flag_at(item.raw, "spec", "suspend"):
        return scene.name_cause("suspended")
    failure = describe_failure(item)
    found = None if ready else _explain_prerequisites(scene, item)
    if found is None and (ready or _is_waiting_for_objects(item)):
        found = scene.explain_first(_list_objects(item))
    if found is None and not ready:
        found = scene.blame(failure, "kustomization-failing")
    return found.under(f"{key}: {failure}" if not ready else f"{key} is applied") if found else None


def explain_dependencies(scene: Scene, item: KubernetesObject) -> Diagnosis | None:
    """Explain the first of `spec.dependsOn` that is missing, in a circle, or not ready.

    With a `readyExpr` a dependency need not be ready: it counts only where Flux waits for one.
    """
    ready = item.condition("Ready")
    is_waiting = ready is None or ready.reason == "DependencyNotReady"
    for reference in list_at(item.raw, "spec", "dependsOn"):
        space = text_at(reference, "namespace") or item.namespace
        needed = Key(item.kind, space, text_at(reference, "name"))
        if needed in scene.path:
            return scene.name_cause("dependency-cycle", chain=_draw_chain(scene.path, needed))
        if scene.sight.find(needed) is None and not _is_expected(scene, needed):
            return scene.name_cause(
                "dependency-missing", missing=needed.id, similar=scene.suggest(needed)
            )
        live = scene.sight.find(needed)
        is_met = live is not None and (
            is_ready(live) or bool(text_at(reference, "readyExpr") and not is_waiting)
        )
        found = None if is_met else scene.explain(needed)
        if found:
            return found
    return None


def find_missing_source(scene: Scene, source: Key) -> Diagnosis | None:
    """Name a source that does not exist."""
    if scene.sight.find(source) is not None:
        return None
    found = scene.name_cause(
        "source-missing",
        missing=str(source),
        user=str(scene.here),
        similar=scene.suggest(source),
    )
    return found.under(f"{source}: not found")


def is_ready(item: KubernetesObject) -> bool:
    """Tell whether Flux says Ready about the present spec."""
    return item.has_condition("Ready") and item.observed_generation == item.generation


def describe_failure(item: KubernetesObject) -> str:
    """Return what an object says about itself: the reason and message of Ready."""
    ready = item.condition("Ready")
    if ready is None:
        return "not looked at yet"
    return f"{ready.reason}: {ready.message}"


def list_named_objects(message: str) -> Iterator[Key]:
    """Yield the objects that a message of fluxcd/pkg/ssa waited for in vain."""
    for kind, namespace, name, status in _WAITED_FOR.findall(message):
        if status != "Current":
            yield Key(kind, namespace, name)


def _explain_prerequisites(scene: Scene, item: KubernetesObject) -> Diagnosis | None:
    reference = object_at(item.raw, "spec", "sourceRef")
    space = text_at(reference, "namespace") or item.namespace
    source = Key(text_at(reference, "kind"), space, text_at(reference, "name"))
    return (
        find_missing_source(scene, source)
        or scene.explain(source)
        or explain_dependencies(scene, item)
    )


def _is_waiting_for_objects(item: KubernetesObject) -> bool:
    """Tell whether a Kustomization is through with applying and waits for what it applied."""
    ready = item.condition("Ready")
    return ready is None or ready.reason in {
        "HealthCheckFailed",
        "HealthCheckCanceled",
        "Progressing",
        "ProgressingWithRetry",
    }


def _list_objects(item: KubernetesObject) -> Sequence[Key]:
    """List what was waited for in vain, then what of the inventory has to become ready."""
    named = list(list_named_objects(describe_failure(item)))
    applied = [key for key in _read_inventory(item) if key.kind in _ORDER]
    applied.sort(key=lambda key: _ORDER.index(key.kind))
    return list(dict.fromkeys([*named, *applied]))


def _read_inventory(item: KubernetesObject) -> Iterator[Key]:
    """Read `status.inventory`: ids are `namespace_name_group_kind` (cli-utils, ObjMetadata)."""
    for entry in list_at(item.raw, "status", "inventory", "entries"):
        namespace, _, rest = text_at(entry, "id").partition("_")
        parts = rest.rsplit("_", 2)
        if len(parts) == len(("name", "group", "kind")):
            yield Key(parts[2], namespace, parts[0].replace("__", ":"))


def _explain_absence(scene: Scene, key: Key) -> Diagnosis:
    """Explain why a Kustomization is not there: what should apply it fails, or nothing does."""
    owner = scene.facts.kustomization_of(key)
    found = scene.explain(owner) if owner else None
    if found:
        return found.under(f"{key} is not there; {owner} applies it")
    applier = f"; {owner} applies it" if owner else ""
    return scene.name_cause("not-there", applier=applier)


def _is_expected(scene: Scene, key: Key) -> bool:
    """Tell whether Git declares an object that is not in the cluster: its absence is explained."""
    return key in scene.facts.places


def _draw_chain(path: Sequence[Key], again: Key) -> str:
    """Draw a circle, always from the same point: whoever is asked about, it is one circle."""
    names = [key.name for key in path[path.index(again) :] if key.kind == again.kind]
    first = names.index(min(names))
    return " -> ".join([*names[first:], *names[:first], names[first]])

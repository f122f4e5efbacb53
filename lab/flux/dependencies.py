"""What a Kustomization waits for: its source, and the Kustomizations that it depends on."""

from __future__ import annotations

from lab.flux.artifacts import Artifact, SourceKey
from lab.flux.conditions import is_ready
from lab.flux.health import ask_dependency
from lab.kubernetes.client import KubernetesClient
from lab.kubernetes.values import Object, at, maps, namespace_of, text

__all__ = ["KUSTOMIZATION", "find_unready_dependency", "source_key_of"]

KUSTOMIZATION = ("kustomize.toolkit.fluxcd.io/v1", "Kustomization")


async def find_unready_dependency(client: KubernetesClient, obj: Object, artifact: Artifact) -> str:
    """Say which dependency is not ready, "" when all are."""
    for dependency in maps(obj, "spec", "dependsOn"):
        namespace = text(dependency, "namespace") or namespace_of(obj)
        name = text(dependency, "name")
        shown = f"dependency '{namespace}/{name}'"
        found = await client.find(*KUSTOMIZATION, name, namespace)
        if found is None:
            return (
                f'{shown} not found: kustomizations.kustomize.toolkit.fluxcd.io "{name}" not found'
            )
        if expression := text(dependency, "readyExpr"):
            if reason := ask_dependency(expression, obj, found):
                return reason
            continue
        if not is_ready(found):
            return f"{shown} is not ready"
        same = source_key_of(found) == source_key_of(obj)
        if same and text(found, "status", "lastAppliedRevision") != artifact.revision:
            return f"{shown} revision is not up to date"
    return ""


def source_key_of(kustomization: Object) -> SourceKey:
    """The source that a Kustomization builds from."""
    reference = at(kustomization, "spec", "sourceRef")
    namespace = text(reference, "namespace") or namespace_of(kustomization)
    return text(reference, "kind"), namespace, text(reference, "name")

"""Custom resources in the repository, and CRDs in rendered charts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from inventory.documents import parse_documents
from inventory.model import Inventory, JsonObject, ObjectRef
from inventory.objects import get_text, group_of, kind_of
from inventory.places import read_scalar

CRD_KIND: Final = "CustomResourceDefinition"
# API groups that every cluster serves, or that Flux brings before anything else is applied.
BUILT_IN_GROUPS: Final = frozenset(
    {
        "",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "apps",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "extensions",
        "flowcontrol.apiserver.k8s.io",
        "internal.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
        "storagemigration.k8s.io",
        "helm.toolkit.fluxcd.io",
        "kustomize.toolkit.fluxcd.io",
        "source.toolkit.fluxcd.io",
    }
)
# Helm separates like this, comment included: `---# Source: ...` is not valid YAML.
_SEPARATOR = re.compile(r"\n---[^\n]*")  # a literal start keeps the search fast


@dataclass(frozen=True, slots=True)
class CustomResource:
    """One live object of a kind that Kubernetes does not know by itself."""

    component: str
    reference: ObjectRef


def find_custom_resources(inventory: Inventory) -> tuple[CustomResource, ...]:
    """Return the live objects whose group is neither Kubernetes' own nor of Flux' core APIs."""
    return tuple(
        CustomResource(owner, reference)
        for owner, reference in inventory.objects()
        if reference.group not in BUILT_IN_GROUPS
    )


def crd_documents(text: str) -> tuple[JsonObject, ...]:
    """Return every CustomResourceDefinition object in rendered text."""
    return tuple(value for value in _objects(text, CRD_KIND) if kind_of(value) == CRD_KIND)


def crds_in(text: str) -> frozenset[str]:
    """Return `group/Kind` of every CRD in rendered text."""
    found: set[str] = set()
    for part in split_manifests(text):
        if CRD_KIND not in part:
            continue
        group = read_scalar(part, ("spec", "group"))
        kind = read_scalar(part, ("spec", "names", "kind"))
        if group and kind and read_scalar(part, ("kind",)) == CRD_KIND:
            found.add(f"{group}/{kind}")
        else:  # a list, or several documents that YAML separates in its own way
            found |= {crd_key(value) for value in crd_documents(part)}
    return frozenset(found)


def kinds_in(text: str) -> frozenset[str]:
    """Return `group/Kind` of every custom resource in rendered text."""
    return frozenset(
        f"{group_of(value)}/{kind_of(value)}"
        for value in _objects(text, "")
        if group_of(value) not in BUILT_IN_GROUPS
    )


def crd_key(crd: JsonObject) -> str:
    """Return `group/Kind` of what a CRD object defines."""
    return f"{get_text(crd, 'spec', 'group')}/{get_text(crd, 'spec', 'names', 'kind')}"


def split_manifests(text: str) -> Iterator[str]:
    """Split rendered text the way Helm does."""
    for part in _SEPARATOR.split("\n" + text):
        if part.strip():
            yield part


def _objects(text: str, mark: str) -> Iterator[JsonObject]:
    for part in split_manifests(text):
        if mark not in part:
            continue
        documents, _ = parse_documents("", part)
        for document in documents:
            if isinstance(document.value, Mapping):
                yield document.value

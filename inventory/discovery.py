"""Find the Flux objects on disk and the entries among them, before anything is built."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from inventory.documents import Document
from inventory.flux import (
    DEFAULT_NAMESPACE,
    is_kustomization,
    is_release,
    is_source,
    path_of,
    source_key,
)
from inventory.model import JsonObject, SourceKey
from inventory.objects import get_mapping, get_text, group_of, kind_of, name_of, namespace_of
from inventory.tree import Tree, is_below, join, normalise

ENTRY_PREFIX = "flux-entry"
INSTANCE_GROUP = "fluxcd.controlplane.io"
_MARKS = ("toolkit.fluxcd.io", INSTANCE_GROUP)


@dataclass(frozen=True, slots=True)
class Found:
    """One Flux object on disk."""

    value: JsonObject = field(repr=False)
    document: Document


@dataclass(frozen=True, slots=True)
class EntryCandidate:
    """An object that reaches others: a Kustomization, or one that a FluxInstance will make."""

    value: JsonObject = field(repr=False)
    document: Document
    path: str
    is_synthetic: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name of the Kustomization."""
        return (namespace_of(self.value) or DEFAULT_NAMESPACE, name_of(self.value))

    @property
    def source(self) -> SourceKey:
        """What its Kustomization is built from."""
        return source_key(get_mapping(self.value, "spec", "sourceRef"), self.key[0])


def find_objects(tree: Tree, cluster: str) -> list[Found]:
    """Return every Flux object on disk that may belong to `cluster`, in path order."""
    found: list[Found] = []
    for path in _files(tree, cluster):
        text = tree.text(path)
        if text is None or not any(mark in text for mark in _MARKS):
            continue
        for document in tree.documents(path):
            value = document.value
            if isinstance(value, Mapping) and _is_flux(value):
                found.append(Found(value, document))
    return found


def find_entries(found: Iterable[Found], cluster: str) -> list[EntryCandidate]:
    """Return the entries: named `flux-entry*`, or with a path that contains their own file.

    The ones in the cluster's folder come first. A Kustomization that contains its own file but lies
    below another entry is a component (or dead), not an entry.
    """
    candidates: dict[tuple[tuple[str, str], str], EntryCandidate] = {}
    for item in found:
        for candidate in _candidates(item):
            # Old repositories give the entries of the cluster and of the sources one name.
            candidates.setdefault((candidate.key, candidate.path), candidate)
    entries = [
        candidate
        for candidate in candidates.values()
        if _is_named(candidate) or not _is_nested(candidate, candidates.values())
    ]
    folder = f"clusters/{cluster}"
    return sorted(
        entries, key=lambda entry: (not is_below(entry.path, folder), entry.document.path)
    )


def _files(tree: Tree, cluster: str) -> Iterator[str]:
    for name, is_directory in tree.names("."):
        if name.startswith("."):
            continue
        if not is_directory:
            if name.endswith((".yaml", ".yml")):
                yield name
        elif name != "clusters":
            yield from tree.walk(name)
    folder = join("clusters", cluster)
    for name, is_directory in tree.names(folder):
        child = join(folder, name)
        if is_directory and name != "talos":
            yield from tree.walk(child)
        elif not is_directory and name.endswith((".yaml", ".yml")):
            yield child


def _is_flux(value: JsonObject) -> bool:
    return is_kustomization(value) or is_release(value) or is_source(value) or _is_instance(value)


def _is_instance(value: JsonObject) -> bool:
    return kind_of(value) == "FluxInstance" and group_of(value) == INSTANCE_GROUP


def _candidates(item: Found) -> Iterator[EntryCandidate]:
    value, document = item.value, item.document
    if is_kustomization(value):
        path = path_of(get_mapping(value, "spec"))
        if path is not None and (
            name_of(value).startswith(ENTRY_PREFIX)
            or (is_below(document.path, path) and _is_of_repository(value, path))
        ):
            yield EntryCandidate(value, document, path)
        return
    sync = _sync_of(value)
    path = normalise(get_text(sync, "path")) if sync else None
    if path is not None:
        yield EntryCandidate(_synthetic(sync, namespace_of(value)), document, path, True)


def _is_of_repository(value: JsonObject, path: str) -> bool:
    """Say whether a path is one of this repository: `./` is also that of Flux's own manifests."""
    return path != "." or get_text(value, "spec", "sourceRef", "kind") == "GitRepository"


def _sync_of(value: JsonObject) -> JsonObject:
    if _is_instance(value):
        return get_mapping(value, "spec", "sync")
    if is_release(value):
        return get_mapping(value, "spec", "values", "instance", "sync")
    return {}


def _synthetic(sync: JsonObject, namespace: str) -> JsonObject:
    """Return the Kustomization that flux-operator makes for a FluxInstance's `sync`."""
    name = get_text(sync, "name") or namespace or DEFAULT_NAMESPACE
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": name, "namespace": namespace or DEFAULT_NAMESPACE},
        "spec": {
            "interval": get_text(sync, "interval", default="10m"),
            "path": get_text(sync, "path"),
            "prune": True,
            "sourceRef": {
                "kind": get_text(sync, "kind", default="GitRepository"),
                "name": name,
            },
        },
    }


def _is_named(candidate: EntryCandidate) -> bool:
    return name_of(candidate.value).startswith(ENTRY_PREFIX) or candidate.is_synthetic


def _is_nested(candidate: EntryCandidate, others: Iterable[EntryCandidate]) -> bool:
    return any(
        other is not candidate
        and is_below(candidate.document.path, other.path)
        and candidate.path != other.path
        for other in others
    )

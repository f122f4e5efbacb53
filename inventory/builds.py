"""Values that a kustomize build works with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from inventory.artifact import explain_absence
from inventory.documents import Document, parse_documents
from inventory.kustomization_shape import Mistake, find_files, find_mistakes
from inventory.model import Finding, Json, JsonObject
from inventory.objects import get_at, get_mappings, get_text
from inventory.resources import Resource
from inventory.rules import make_finding
from inventory.scalars import has_old_words, resolve_old_scalar, write_text
from inventory.tree import YAML_SUFFIXES, Tree, join, normalise

MAX_DEPTH: Final = 64  # directories within directories; real trees have at most 8
_FILE_NAMES: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")


@dataclass(frozen=True, slots=True)
class Build:
    """The result of one build; `has_failed` when kustomize would have refused it."""

    resources: tuple[Resource, ...]
    has_failed: bool
    has_file: bool


@dataclass(frozen=True, slots=True)
class Here:
    """The kustomization being read, and what led to it."""

    path: str
    document: Document
    stack: tuple[str, ...] = ()
    top: str = ""
    from_component: bool = False

    def below(self, item: str, document: Document, top: str = "") -> Here:
        """Return the place of a directory that this one lists; `top` where its name differs."""
        stack = (*self.stack, self.path)
        return replace(self, path=item, document=document, stack=stack, top=self.top or top or item)

    def resource(self, value: JsonObject, document: Document, top: str = "") -> Resource:
        """Return an object written here."""
        return Resource(value, document, self.from_component, self.top or top)


def flatten(value: Json) -> Iterator[JsonObject]:
    """Yield the objects of a document: the items of a list, else the document itself."""
    if not isinstance(value, Mapping):
        return
    if get_text(value, "kind").endswith("List") and "items" in value:
        yield from get_mappings(value, "items")
    else:
        yield value


def find_lack(value: JsonObject) -> str:
    """Return what an object lacks to be one of Kubernetes; empty when it has all."""
    if not get_text(value, "kind"):
        return "kind"
    return "" if get_text(value, "metadata", "name") else "metadata.name"


def is_remote(item: str) -> bool:
    """Say whether an item of `resources` is fetched from another server."""
    return "://" in item or item.startswith(("git@", "github.com/")) or "?ref=" in item


def find_kustomization(tree: Tree, path: str) -> str | None:
    """Return the kustomization file of a directory; None when it has none."""
    return next((f for name in _FILE_NAMES if tree.is_file(f := join(path, name))), None)


def scan_manifests(tree: Tree, path: str, depth: int = 0) -> Iterator[str]:
    """Yield what Flux lists where a directory has no kustomization file."""
    for name, is_directory in tree.names(path):
        child = join(path, name)
        if is_directory and depth < MAX_DEPTH:
            if find_kustomization(tree, child) is not None:
                yield child
            else:
                yield from scan_manifests(tree, child, depth + 1)
        elif not is_directory and name.endswith(YAML_SUFFIXES):
            yield child


def read_kustomization(tree: Tree, path: str) -> Document:
    """Return a kustomization file as kustomize and Flux read it: `yes` is true there."""
    documents = tree.documents(path)
    if not documents:
        return Document(path, 0, {}, 1, 1, "")
    if not has_old_words(documents[0].text):
        return documents[0]
    return parse_documents(path, documents[0].text, resolve_old_scalar)[0][0]


def judge_file(tree: Tree, here: Here, wanted: str) -> Iterator[Finding]:
    """Yield what kustomize refuses in a kustomization file itself, before it builds anything."""
    document = here.document
    if tree.has_failed(document.path):
        return
    mistakes = find_mistakes(document.value, wanted)
    for mistake in mistakes if wanted else _as_flux_reads(mistakes, document):
        yield make_finding(mistake.rule, mistake.message, document.locate(*mistake.keys))
    for name, keys in find_files(document.value):
        target = normalise(join(here.path, name))
        if not is_remote(name) and (target is None or not tree.is_file(target)):
            yield make_missing(tree, here, name, keys, target)


def _as_flux_reads(mistakes: Iterable[Mistake], document: Document) -> Iterator[Mistake]:
    """Yield mistakes of a file that Flux reads itself: it makes a text of a number or boolean."""
    for mistake in mistakes:
        if mistake.given is None:
            yield mistake
            continue
        raw = parse_documents(document.path, document.text, str)[0][0]
        written, read = get_at(raw.value, mistake.keys), write_text(mistake.given)
        if written != read:
            message = f"Flux reads another text than is written: `{written}` as `{read}`"
            yield Mistake("rewritten-value", message, mistake.keys)


def make_missing(
    tree: Tree, here: Here, item: str, keys: tuple[str | int, ...], target: str | None
) -> Finding:
    """Return the finding for something that a kustomization lists and that is not there."""
    place = here.document.locate(*keys)
    if target and (absence := explain_absence(tree, target)):
        return make_finding("not-in-artifact", f"`{item}` {absence}", place)
    reason = "leads outside the repository" if target is None else "does not exist"
    return make_finding("missing-resource", f"resource {reason}: `{item}`", place)

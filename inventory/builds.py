"""Values that a kustomize build works with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from inventory.documents import Document
from inventory.kustomization_shape import find_files, find_mistakes
from inventory.model import Finding, Json, JsonObject
from inventory.objects import get_mappings, get_text
from inventory.resources import Resource
from inventory.rules import make_finding
from inventory.tree import Tree, join, normalise


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


def judge_file(tree: Tree, here: Here, wanted: str) -> Iterator[Finding]:
    """Yield what kustomize refuses in a kustomization file itself, before it builds anything."""
    document = here.document
    if tree.has_failed(document.path):
        return
    for mistake in find_mistakes(document.value, wanted):
        yield make_finding(mistake.rule, mistake.message, document.locate(*mistake.keys))
    for name, keys in find_files(document.value):
        target = normalise(join(here.path, name))
        if not is_remote(name) and (target is None or not tree.is_file(target)):
            yield make_missing(here, name, keys, target)


def make_missing(here: Here, item: str, keys: tuple[str | int, ...], target: str | None) -> Finding:
    """Return the finding for something that a kustomization lists and that is not there."""
    reason = "leads outside the repository" if target is None else "does not exist"
    place = here.document.locate(*keys)
    return make_finding("missing-resource", f"resource {reason}: `{item}`", place)

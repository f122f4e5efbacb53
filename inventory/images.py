"""Container images that a repository names: in manifests, in releases' values, in talconfig."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from inventory.envsubst import expand_known
from inventory.flux import is_release
from inventory.model import Inventory, Json, ObjectRef, Position
from inventory.objects import get, get_text

_Keys: TypeAlias = tuple[str | int, ...]
_CONTAINERS: Final = ("containers", "initContainers", "ephemeralContainers")
_LONGEST: Final = 512  # arbitrary, more than any registry takes
# https://github.com/distribution/reference/blob/main/regexp.go, without what nobody writes.
_REFERENCE: Final = re.compile(
    r"[a-zA-Z0-9][a-zA-Z0-9.-]*(?::[0-9]+)?(?:/[a-z0-9][a-z0-9._-]*)*"
    r"(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?\Z"
)


@dataclass(frozen=True, slots=True)
class ImageUse:
    """An image with its tag or digest, and where it is named.

    Attributes:
        owner: The object or node that will run it.
        document: Where the object begins; `keys` lead on to the name.
    """

    reference: str
    owner: str
    document: Position
    keys: _Keys = field(default=())


def find_images(inventory: Inventory) -> Iterator[ImageUse]:
    """Yield each image once, at the first place that names it.

    In values only what a registry and a tag or digest are written for: charts complete other names
    in ways that only they know. Names with variables that are not known here are left out.
    """
    variables = inventory.variables
    known: dict[str, str] = {**variables.derived, **variables.values}
    seen: set[str] = set()
    for use in _uses(inventory):
        reference = expand_known(use.reference, known)
        if reference not in seen and len(reference) < _LONGEST and _REFERENCE.match(reference):
            seen.add(reference)
            yield ImageUse(reference, use.owner, use.document, use.keys)


def _uses(inventory: Inventory) -> Iterator[ImageUse]:
    talos = inventory.talos
    for index, node in enumerate(talos.nodes if talos else ()):
        if talos and node.talos_image:
            tag = "" if ":" in node.talos_image.rpartition("/")[2] else f":{talos.talos_version}"
            keys: _Keys = ("nodes", index)
            yield ImageUse(f"{node.talos_image}{tag}", node.hostname, talos.position, keys)
    for _, item in inventory.objects():
        if is_release(item.raw):
            values = get(item.raw, "spec", "values")
            found = _in_values(values, ("spec", "values"))
        else:
            found = _in_manifest(item.raw, ())
        for reference, keys in found:
            yield ImageUse(reference, _name(item), item.position, keys)


def _name(item: ObjectRef) -> str:
    return f"{item.namespace}/{item}" if item.namespace else str(item)


def _in_manifest(value: Json, keys: _Keys) -> Iterator[tuple[str, _Keys]]:
    """Yield the images of containers, wherever a pod's spec lies."""
    if isinstance(value, dict):
        for name in _CONTAINERS:
            items = value.get(name)
            for index, item in enumerate(items if isinstance(items, list) else ()):
                image = get_text(item, "image")
                if image:
                    yield image, (*keys, name, index, "image")
    for key, item in _inner(value):
        yield from _in_manifest(item, (*keys, key))


def _in_values(value: Json, keys: _Keys) -> Iterator[tuple[str, _Keys]]:
    """Yield images that are told in full: `repository` with `tag`, or one text under `image`."""
    if isinstance(value, dict):
        repository, written = get_text(value, "repository"), "repository"
        registry = get_text(value, "registry")
        name = f"{registry}/{repository}" if registry and repository else repository
        version = _version(value)
        if not repository and isinstance(value.get("image"), str):
            name, version, written = get_text(value, "image"), "", "image"
        is_told = version or ":" in name.rpartition("/")[2] or "@" in name
        if is_told and _has_registry(name):
            yield name + version, (*keys, written)
    for key, item in _inner(value):
        yield from _in_values(item, (*keys, key))


def _version(value: Mapping[str, Json]) -> str:
    tag, digest = get_text(value, "tag"), get_text(value, "digest")
    if not digest.startswith("sha256:"):
        return f":{tag}" if tag else ""
    return f":{tag}@{digest}" if tag and "@" not in tag else f"@{digest}"


def _has_registry(name: str) -> bool:
    host, slash, _ = name.partition("/")
    return bool(slash) and ("." in host or ":" in host or "$" in host or host == "localhost")


def _inner(value: Json) -> Iterator[tuple[str | int, Json]]:
    found = value.items() if isinstance(value, dict) else ()
    for key, item in enumerate(value) if isinstance(value, list) else found:
        if isinstance(item, (dict, list)):
            yield key, item

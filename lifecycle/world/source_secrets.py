"""The Secrets that sources sign in with, and which of them are there before Flux.

A source without its Secret has no artifact. Secrets among what the entries apply themselves are
placed ahead of Flux; others come with a component, or are made in the cluster, and a source that
needs such a one is ready only then.
"""

from __future__ import annotations

from collections.abc import Iterable

from inventory import Source
from lifecycle.drivers.documents import text_at
from lifecycle.world.bundle import World

__all__ = ["find_held", "find_needed", "list_secrets"]

# Where the sources of Flux name Secrets of their own namespace.
_REFERENCES = (("secretRef",), ("certSecretRef",), ("proxySecretRef",), ("verify", "secretRef"))


def list_secrets(*sources: Source) -> set[tuple[str, str]]:
    """Return the Secrets that sources name, by namespace and name."""
    return {
        (source.namespace, name)
        for source in sources
        for name in (source.secret, *_list_references(source))
        if name
    }


def find_needed(world: World) -> set[tuple[str, str]]:
    """Return the Secrets without which Flux cannot read what it begins with."""
    begun = {entry.source for entry in world.inventory.entries}
    return list_secrets(*(source for source in world.inventory.sources if source.key in begun))


def find_held(world: World) -> set[tuple[str, str]]:
    """Return those Secrets of sources that the entries apply themselves."""
    names = list_secrets(*world.inventory.sources)
    found = world.builds.find(world.builds.expected(), "Secret", names)
    return {(namespace, name) for namespace, name, _ in found}


def _list_references(source: Source) -> Iterable[str]:
    return (text_at(source.raw, "spec", *path, "name") for path in _REFERENCES)

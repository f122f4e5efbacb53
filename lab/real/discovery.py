"""Which kinds the real API server serves by itself, read from its discovery document."""

from __future__ import annotations

from collections.abc import Iterator

from lab.kubernetes.kinds import Kind
from lab.kubernetes.registry import Registry
from lab.kubernetes.values import Object, maps, text, texts
from lab.real.channel import Channel, Request

__all__ = ["list_followed", "read_kinds"]

_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
# Reviews: asked, never kept.
_QUESTIONS = {"authentication.k8s.io", "authorization.k8s.io"}
# The same objects as the core group's events.
_TWICE = {"events.events.k8s.io"}


def read_kinds(channel: Channel, registry: Registry) -> None:
    """Make `registry` serve the built-in kinds that the server does, and no others."""
    served: dict[str, Kind] = {}
    for path in ("/api", "/apis"):
        document = channel.ask(Request("GET", path, accept=_AGGREGATED))
        for group in maps(document, "items"):
            for kind in _read_group(group):
                served.setdefault(kind.resource, kind)
    for kind in registry.kinds:
        if kind.resource not in served and not kind.crd:
            registry.remove(kind.resource)
    for resource, kind in served.items():
        if registry.of_resource(resource) is None:
            registry.add(kind)


def list_followed(registry: Registry) -> list[Kind]:
    """List the kinds whose objects can be listed and watched."""
    return [kind for kind in registry.kinds if not _is_passed_over(kind)]


def _is_passed_over(kind: Kind) -> bool:
    return kind.group in _QUESTIONS or kind.resource in _TWICE


def _read_group(group: Object) -> Iterator[Kind]:
    for version in maps(group, "versions"):
        for resource in maps(version, "resources"):
            kind = _read_kind(group, version, resource)
            if {"list", "watch"} <= set(texts(resource, "verbs")) or _is_passed_over(kind):
                yield kind


def _read_kind(group: Object, version: Object, resource: Object) -> Kind:
    return Kind(
        group=text(group, "metadata", "name"),
        versions=(text(version, "version"),),
        kind=text(resource, "responseKind", "kind"),
        plural=text(resource, "resource"),
        namespaced=text(resource, "scope") == "Namespaced",
        short=tuple(texts(resource, "shortNames")),
        subresources=frozenset(
            text(item, "subresource") for item in maps(resource, "subresources")
        ),
    )

"""Builders of the values that the world's pure parts judge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from inventory import Component, Release
from inventory.model import SourceKey
from lifecycle.drivers.documents import Json, JsonObject, text_at
from lifecycle.drivers.kubernetes import KubernetesObject, ObjectList, Selection
from lifecycle.errors import NotFoundError
from lifecycle.world.cluster_access import ClusterAccess

__all__ = ["FakeAccess", "component", "live_object", "release"]

_SOURCE = SourceKey("GitRepository", "flux-system", "cluster")
_OWNED = "meta.helm.sh/release-"


def component(name: str, *depends_on: str) -> Component:
    """A component of this repository in flux-system; change the rest with `replace`."""
    depends = tuple(("flux-system", other) for other in depends_on)
    return Component(name, "flux-system", f"apps/{name}", "", _SOURCE, depends_on=depends)


def release(name: str, *, suspend: bool = False) -> Release:
    """A HelmRelease in the namespace of its name."""
    source = SourceKey("HelmRepository", "flux-system", "charts")
    return Release(
        name, name, name, "1.0.0", source, is_chart_ref=False, values={}, suspend=suspend
    )


def live_object(
    api_version: str, kind: str, name: str, *, owner: str = "", **content: Json
) -> KubernetesObject:
    """An object as the API returns it; `owner` is the release that Helm says it is of."""
    owned = {f"{_OWNED}name": owner, f"{_OWNED}namespace": owner} if owner else {}
    metadata: JsonObject = {
        "name": name,
        "namespace": owner or "flux-system",
        "generation": 1,
        "annotations": owned,
    }
    return KubernetesObject(
        {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}
    )


@dataclass(slots=True)
class FakeAccess:
    """A cluster that holds documents; kinds of which it holds none are not served."""

    documents: list[JsonObject] = field(default_factory=list)
    listed: list[tuple[str, str]] = field(default_factory=list)

    async def api(self) -> FakeAccess:
        """Return itself as the API's client."""
        return self

    async def list(self, selection: Selection) -> ObjectList:
        """List a kind."""
        self.listed.append((selection.api_version, selection.kind))
        found = tuple(
            KubernetesObject(document)
            for document in self.documents
            if text_at(document, "apiVersion") == selection.api_version
            and text_at(document, "kind") == selection.kind
        )
        if not found:
            raise NotFoundError(f"no {selection.kind}")
        return ObjectList(found, "1")

    @property
    def as_access(self) -> ClusterAccess:
        """The same, for what wants the real one."""
        return cast("ClusterAccess", self)

"""What the suites for both Fluxes hold in their hands: a cluster, a remote, a namespace."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol
from uuid import uuid4

from lab.kubernetes.values import Json, Object, at, grow, text
from tests.lab_flux.flux_remote import Remote
from tests.lab_flux.flux_world import (
    GIT,
    KUSTOMIZATION,
    FluxWorld,
    condition,
    is_ready,
    make_git_repository,
    make_kustomization,
)

MAP = ("v1", "ConfigMap")


class Cluster(Protocol):
    """What both worlds can do."""

    async def apply(self, *objects: Object) -> None:
        """Apply manifests as a user."""

    async def find(self, kind: tuple[str, str], name: str, namespace: str) -> Object | None:
        """Read one object."""

    async def remove(self, kind: tuple[str, str], name: str, namespace: str) -> None:
        """Delete one object."""

    async def request(self, kind: tuple[str, str], name: str, namespace: str, at_: str) -> None:
        """Ask for a reconciliation."""

    async def until(
        self, kind: tuple[str, str], name: str, namespace: str, holds: Callable[[Object], bool]
    ) -> Object:
        """Wait until an object is as wanted; returns it."""


@dataclass(frozen=True)
class Flux:
    """A Flux under test, a namespace of the test's own, and the remote of its source `cluster`."""

    cluster: Cluster
    remote: Remote
    space: str
    charts_url: str

    async def ask(self, kind: tuple[str, str], name: str) -> Object:
        """Read one object of the test's namespace; empty where there is none."""
        return await self.cluster.find(kind, name, self.space) or {}

    async def begin(self, name: str, path: str, **spec: Json) -> None:
        """Apply a Kustomization."""
        obj = make_kustomization(name, path, **spec)
        grow(obj, "metadata")["namespace"] = self.space
        await self.cluster.apply(obj)

    async def until(self, name: str, holds: Callable[[Object], bool]) -> Object:
        """Wait for a Kustomization."""
        return await self.cluster.until(KUSTOMIZATION, name, self.space, holds)

    async def tell(self, name: str, holds: Callable[[Object], bool]) -> tuple[str, str, str]:
        """Wait for a Kustomization; what its Ready says, without the name of the namespace."""
        status, reason, message = condition(await self.until(name, holds), "Ready")
        return status, reason, message.replace(self.space, "SPACE")

    async def push(self, **files: list[Object] | Object) -> str:
        """Commit to `a/<name>.yaml`, and let the source see it; returns the commit."""
        commit = self.remote.push({f"a/{name}.yaml": content for name, content in files.items()})
        revision = f"main@sha1:{commit}"
        await self.cluster.request(GIT, "cluster", self.space, uuid4().hex)
        await self.cluster.until(
            GIT,
            "cluster",
            self.space,
            lambda obj: text(obj, "status", "artifact", "revision") == revision,
        )
        return commit

    def settings(self, name: str, **data: str) -> Object:
        """A ConfigMap."""
        values: Object = {**data}
        metadata: Object = {"name": name, "namespace": self.space}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": values}

    async def data_of(self, name: str) -> Object | None:
        """What a ConfigMap holds; None where there is none."""
        found = await self.cluster.find(MAP, name, self.space)
        return None if found is None else at(found, "data")


class LabWorld:
    """The lab's Flux, by the names of the protocol."""

    def __init__(self, world: FluxWorld) -> None:
        self._world = world
        world.broken.add("broken")  # nobody runs it in the other world, either
        self.apply = world.apply
        self.until = world.until
        self.request = world.request

    def break_sources(self, target: str, fault: str) -> None:
        """Let sources fail, as the real ones of a test do by what their server answers."""
        self._world.break_sources(target, fault)

    async def find(self, kind: tuple[str, str], name: str, namespace: str) -> Object | None:
        """Read one object."""
        return await self._world.client.find(*kind, name, namespace)

    async def remove(self, kind: tuple[str, str], name: str, namespace: str) -> None:
        """Delete one object."""
        await self._world.client.delete(*kind, name, namespace)


@asynccontextmanager
async def prepare(
    cluster: Cluster, remote: Remote, url: str, charts_url: str
) -> AsyncIterator[Flux]:
    """Make the namespace and the source of a test."""
    flux = Flux(cluster, remote, f"flux-{uuid4().hex[:8]}", charts_url)
    remote.push({"README.yaml": {"about": "nothing"}})
    source = make_git_repository(url)
    grow(source, "metadata")["namespace"] = flux.space
    space: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": flux.space}}
    await cluster.apply(space, source)
    await cluster.until(GIT, "cluster", flux.space, is_ready)
    yield flux
    await cluster.remove(GIT, "cluster", flux.space)


def has_applied(commit: str) -> Callable[[Object], bool]:
    """Tell whether a Kustomization is ready at a commit."""
    revision = f"main@sha1:{commit}"
    return lambda obj: is_ready(obj) and text(obj, "status", "lastAppliedRevision") == revision

"""A broken cluster of the lab, as a diagnosis is given it, and how long a cause takes to show."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from inventory import Inventory, Release, read_repository
from lab.charts import ChartWanted, build_charts
from lab.charts.crds import make_crd, make_crds
from lab.clock import LabClock
from lab.flux import Flux
from lab.kubernetes import Kubernetes as Plane
from lab.kubernetes.pki import issue_certificate
from lab.kubernetes.values import Object, at
from lab.ledger import Ledger
from lab.ports import NodeFacts
from lab.tools import LabTools
from lifecycle.diagnosis import Diagnosis, diagnose
from lifecycle.drivers.kubernetes import Kubernetes, KubernetesObject
from lifecycle.drivers.kubernetes.kubeconfig import Kubeconfig
from lifecycle.secrets import Secret
from lifecycle.world import Options, World
from lifecycle.world.crd_kinds import CrdKind
from tests.diagnosis.diagnosis_repository import CHARTS, URL, VERSION, Components, write_repository
from tests.lab_kubernetes.lab_kubernetes_cluster import cni, make_pki

__all__ = ["BrokenWorld", "run_broken_world"]

SPEED = 40.0
_NODES = (
    NodeFacts(name="cp-1", role="controlplane", address="10.44.0.11", loopback="127.44.0.11"),
    NodeFacts(name="worker-1", role="worker", address="10.44.0.21", loopback="127.44.0.21"),
)
_FLUX_CRDS = (
    *make_crds(
        "source.toolkit.fluxcd.io",
        ("v1",),
        "GitRepository/gitrepositories OCIRepository/ocirepositories "
        "HelmRepository/helmrepositories HelmChart Bucket",
    ),
    *make_crds("kustomize.toolkit.fluxcd.io", ("v1",), "Kustomization"),
    *make_crds("helm.toolkit.fluxcd.io", ("v2",), "HelmRelease"),
)


@dataclass(frozen=True, slots=True)
class _Access:
    client: Kubernetes

    async def api(self) -> Kubernetes:
        return self.client


@dataclass(frozen=True, slots=True)
class _Charts:
    """Knows that the chart of MetalLB brings its kinds, without rendering it."""

    async def may_bring_crds(self, release: Release) -> bool:
        return release.chart == "metallb"

    async def crd_kinds_of(self, _: Release) -> tuple[CrdKind, ...]:
        names = ("IPAddressPool", "L2Advertisement")
        return tuple(
            CrdKind(f"{name.lower()}s.metallb.io", "metallb.io", ("v1beta1",), name)
            for name in names
        )


@dataclass(frozen=True, slots=True)
class _Plane:
    hostname: str = "cp-1"
    address: str = "10.42.0.11"


@dataclass(frozen=True, slots=True)
class _Talos:
    nodes: tuple[_Plane, ...] = (_Plane(),)
    control_planes: tuple[_Plane, ...] = (_Plane(),)


@dataclass(frozen=True, slots=True)
class _Declared:
    """The parts of a `World` that a diagnosis of the cluster uses."""

    inventory: Inventory
    options: Options
    access: _Access
    charts: _Charts
    first_control_plane: _Plane = _Plane()
    talos: _Talos = _Talos()


@dataclass(frozen=True, slots=True)
class BrokenWorld:
    """A cluster in which much is wrong, and a hand to ask about it."""

    plane: Plane
    flux: Flux
    clock: LabClock
    client: Kubernetes
    inventory: Inventory

    def world(self, *accepted: str) -> World:
        """Return the world of a run, with components accepted as broken."""
        options = Options(accepted=frozenset(accepted))
        declared = _Declared(self.inventory, options, _Access(self.client), _Charts())
        return cast("World", declared)

    async def find_cause(
        self,
        step: str,
        signature: str,
        *,
        within_s: float,
        accepted: tuple[str, ...] = (),
        told: str = "",
    ) -> Diagnosis:
        """Ask until the first cause has a signature and tells `told`; fails after `within_s`.

        The bound is in simulated seconds since the cluster was given its components.
        """
        found: tuple[Diagnosis, ...] = ()
        while True:
            found = await diagnose(self.world(*accepted), step)
            if found and found[0].signature == signature and told in found[0].cause:
                return found[0]
            assert self.clock.elapsed_s() < within_s, found
            await asyncio.sleep(0.05)

    async def apply(self, *objects: Object) -> None:
        """Apply manifests as a user."""
        for obj in objects:
            await self.plane.client.apply(obj, manager="test", force=True)

    async def until(
        self, kind: tuple[str, str], name: str, namespace: str, holds: Callable[[Object], bool]
    ) -> None:
        """Wait (at most 20 wall seconds) until an object is as wanted."""
        async with asyncio.timeout(20):
            async for event in self.plane.client.watch(*kind, namespace):
                if at(event.object, "metadata").get("name") == name and holds(event.object):
                    return


@asynccontextmanager
async def run_broken_world(
    folder: Path, programs: tuple[Path, ...], components: Components | None = None
) -> AsyncIterator[BrokenWorld]:
    """Run a cluster whose Flux applies a repository, the broken one unless others are given.

    `programs` are tool folders.
    """
    tools = _push_repository(folder, programs, components)
    build_charts([ChartWanted(name, VERSION) for name in CHARTS], folder / "charts")
    clock = LabClock(Ledger(), speed=SPEED)
    port = _find_port()  # worlds of several test processes stand beside each other
    plane = Plane(clock, port=port)
    plane.set_fault("unpullable", "unpullable")
    plane.set_fault("crash/", "crashing")
    flux = Flux(
        clock,
        plane.client,
        charts=[folder / "charts"],
        tools=tools,
        work=folder / "flux",
    )
    inventory = read_repository(folder / "tree", "main", {})
    client = await _start(plane, port)
    world = BrokenWorld(plane, flux, clock, client, inventory)
    try:
        await _prepare(world)
        await flux.start()
        await world.apply(*_entry(inventory))
        yield world
    finally:
        await client.close()
        await flux.stop()
        await plane.close()


def _push_repository(
    folder: Path, programs: tuple[Path, ...], components: Components | None
) -> LabTools:
    """Make the Git remote; returns tools that reach it."""
    bare, tree = folder / "remote.git", folder / "tree"
    author = {"NAME": "test", "EMAIL": "test@lab.example"}
    tools = LabTools(
        path=programs,
        env={
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{bare.as_uri()}.insteadOf",
            "GIT_CONFIG_VALUE_0": URL,
            **{f"GIT_{who}_{k}": v for who in ("AUTHOR", "COMMITTER") for k, v in author.items()},
        },
    )
    tools.run("git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    tools.run("git", "init", "--quiet", "--initial-branch=main", str(tree))
    write_repository(tree, components)
    for words in (
        ("remote", "add", "origin", URL),
        ("add", "--all"),
        ("commit", "--quiet", "--message", "Break everything"),
        ("push", "--quiet", "origin", "main"),
    ):
        tools.run("git", *words, cwd=tree)
    return tools


def _find_port() -> int:
    with socket.create_server((_NODES[0].loopback, 0)) as server:
        port: int = server.getsockname()[1]
    return port


async def _start(plane: Plane, port: int) -> Kubernetes:
    """Start the control plane and its nodes; returns a client of it."""
    pki = make_pki()
    await plane.create(pki)
    await plane.start_apiserver(_NODES[0])
    for facts in _NODES:
        await plane.start_kubelet(facts)
    certificate, key = issue_certificate(pki, "admin", ("system:masters",))
    kubeconfig = Kubeconfig(
        f"https://{_NODES[0].address}:{port}",
        pki.ca_crt,
        certificate,
        Secret(key),
        Secret(""),
        "lab",
        "admin",
    )
    return Kubernetes(kubeconfig, address=_NODES[0].address, dialled=_NODES[0].loopback)


async def _prepare(world: BrokenWorld) -> None:
    """Bring up what a run brings before Flux: network, kinds, namespace, controllers."""
    await world.apply(
        cni(), {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "flux-system"}}
    )
    await world.apply(*(make_crd(crd) for crd in _FLUX_CRDS))
    for facts in _NODES:
        await world.until(
            ("v1", "Node"), facts.name, "", lambda obj: KubernetesObject(obj).has_condition("Ready")
        )
    for crd in _FLUX_CRDS:
        kind = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
        await world.until(kind, crd.name, "", lambda obj: bool(at(obj, "status")))
    await world.apply(*(_controller(name) for name in ("source", "kustomize", "helm")))


def _controller(part: str) -> Object:
    name = f"{part}-controller"
    labels: Object = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "namespace": "flux-system",
            "labels": {"app.kubernetes.io/part-of": "flux"},
        },
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": dict(labels)},
            "template": {
                "metadata": {"labels": dict(labels)},
                "spec": {"containers": [{"name": "manager", "image": "x"}]},
            },
        },
    }


def _entry(inventory: Inventory) -> tuple[Object, ...]:
    git: Object = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "cluster", "namespace": "flux-system"},
        "spec": {"interval": "1m", "url": URL, "ref": {"branch": "main"}},
    }
    charts: Object = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "HelmRepository",
        "metadata": {"name": "charts", "namespace": "flux-system"},
        "spec": {"type": "oci", "interval": "1h", "url": "oci://charts.lab.example"},
    }
    entries = [cast("Object", dict(entry.raw)) for entry in inventory.entries]
    return (git, charts, *entries)

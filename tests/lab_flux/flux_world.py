"""A cluster for Flux to work on: the real API of the lab, and a hand that makes things ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab.charts.crds import make_crd, make_crds
from lab.clock import LabClock
from lab.flux import Flux
from lab.flux.faults import SourceFaults
from lab.kubernetes.ailing import ApiFaults, Health
from lab.kubernetes.api import Api
from lab.kubernetes.client import KubernetesClient
from lab.kubernetes.inside import Inside
from lab.kubernetes.inside_client import InsideClient
from lab.kubernetes.registry import read_crd
from lab.kubernetes.values import Json, Object, at, maps, name_of, namespace_of, number, text
from lab.ledger import Ledger
from lab.tools import LabTools

CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
KUSTOMIZATION = ("kustomize.toolkit.fluxcd.io/v1", "Kustomization")
HELM_RELEASE = ("helm.toolkit.fluxcd.io/v2", "HelmRelease")
GIT = ("source.toolkit.fluxcd.io/v1", "GitRepository")
SPEED = 100.0
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
_COUNTS = (
    *("replicas", "readyReplicas", "updatedReplicas", "availableReplicas"),
    *("desiredNumberScheduled", "updatedNumberScheduled", "numberReady", "numberAvailable"),
)
_WORKLOADS = ("Deployment", "DaemonSet", "StatefulSet")


@dataclass
class FluxWorld:
    """The cluster, and what a test wants to go wrong in it."""

    api: Api
    client: KubernetesClient
    clock: LabClock
    ledger: Ledger
    faults: SourceFaults
    inside: Inside
    ailing: ApiFaults  # what its only API server suffers
    broken: set[str] = field(default_factory=set)  # workloads that never become ready

    def break_sources(self, target: str, fault: str) -> None:
        """Let sources fail whose `namespace/name` begins with `target`."""
        self.faults.set_fault(target, fault)

    async def apply(self, *objects: Object) -> None:
        """Apply manifests as a user."""
        for obj in objects:
            await self.client.apply(obj, manager="test", force=True)

    async def apply_namespaces(self, *names: str) -> None:
        """Make namespaces."""
        for name in names:
            await self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    async def until(
        self, kind: tuple[str, str], name: str, namespace: str, holds: Callable[[Object], bool]
    ) -> Object:
        """Wait (at most 20 wall seconds) until an object is as wanted; returns it."""
        last: Object = {}
        try:
            async with asyncio.timeout(20):
                while True:
                    last = await self.client.find(*kind, name, namespace) or {}
                    if last and holds(last):
                        return last
                    await asyncio.sleep(0.01)
        except TimeoutError:
            message = f"{kind[1]} {namespace}/{name} never became as wanted: {last.get('status')}"
            raise AssertionError(message) from None

    async def until_gone(self, kind: tuple[str, str], name: str, namespace: str) -> None:
        """Wait (at most 20 wall seconds) until an object is gone."""
        async with asyncio.timeout(20):
            async for event in self.client.watch(*kind, namespace):
                if event.type == "DELETED" and name_of(event.object) == name:
                    return

    async def mend(self, name: str) -> None:
        """Let a broken workload become ready."""
        self.broken.discard(name)
        for kind in _WORKLOADS:
            for obj in await self.client.list("apps/v1", kind):
                await _run_workload(self, obj)

    async def request(self, kind: tuple[str, str], name: str, namespace: str, at_: str) -> None:
        """Ask for a reconciliation, as `flux reconcile` does."""
        body: Object = {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": at_}}}
        await self.client.patch(*kind, name, namespace, body=body)


def condition(obj: Object, kind: str) -> tuple[str, str, str]:
    """Status, reason and message of a condition; empty texts when there is none."""
    for item in maps(obj, "status", "conditions"):
        if item.get("type") == kind:
            return text(item, "status"), text(item, "reason"), text(item, "message")
    return "", "", ""


def is_ready(obj: Object) -> bool:
    """Tell whether an object is Ready in its newest generation."""
    observed = at(obj, "status").get("observedGeneration")
    return condition(obj, "Ready")[0] == "True" and observed == at(obj, "metadata").get(
        "generation"
    )


def has_failed(obj: Object) -> bool:
    """Tell whether Ready is False, for another reason than that the source is being fetched."""
    status, _, message = condition(obj, "Ready")
    fetching = "Source artifact not found", "latest generation of object has not been reconciled"
    return status == "False" and not any(words in message for words in fetching)


def make_kustomization(name: str, path: str, **spec: Json) -> Object:
    """Make a Kustomization of the source `cluster`."""
    reference: Object = {"kind": "GitRepository", "name": "cluster"}
    return {
        "apiVersion": KUSTOMIZATION[0],
        "kind": "Kustomization",
        "metadata": {"name": name, "namespace": "flux-system"},
        "spec": {
            "interval": "1h",
            "retryInterval": "5s",
            "path": path,
            "prune": True,
            "sourceRef": reference,
            **spec,
        },
    }


def make_git_repository(url: str) -> Object:
    """Make the source `cluster`, without a deploy key."""
    return {
        "apiVersion": GIT[0],
        "kind": "GitRepository",
        "metadata": {"name": "cluster", "namespace": "flux-system"},
        "spec": {"interval": "1m", "url": url, "ref": {"branch": "main"}},
    }


def make_helm_release(name: str, namespace: str, chart: str, **spec: Json) -> Object:
    """Make a HelmRelease of chart version 1.2.3 from the HelmRepository `charts`."""
    reference: Object = {"kind": "HelmRepository", "name": "charts", "namespace": "flux-system"}
    chart_spec: Object = {"chart": chart, "version": "1.2.3", "sourceRef": reference}
    return {
        "apiVersion": HELM_RELEASE[0],
        "kind": "HelmRelease",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"interval": "1h", "chart": {"spec": chart_spec}, **spec},
    }


def make_helm_repository(name: str = "charts") -> Object:
    """Make an OCI HelmRepository."""
    return {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "HelmRepository",
        "metadata": {"name": name, "namespace": "flux-system"},
        "spec": {"type": "oci", "interval": "1h", "url": "oci://charts.lab.example"},
    }


@asynccontextmanager
async def run_world(
    work: Path, tools: LabTools, charts: Path, *, speed: float = SPEED
) -> AsyncIterator[FluxWorld]:
    """Run a cluster with Flux' definitions and controllers."""
    ledger = Ledger()
    clock = LabClock(ledger, speed=speed)
    api = Api(lambda: clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"))
    api.is_available = True
    client = KubernetesClient(api)
    ailing = ApiFaults(clock)
    ailing.add("cp-1", Health(clock), _do_nothing, _do_nothing)
    inner = InsideClient(api, Inside(clock, ailing))
    flux = Flux(clock, client, charts=[charts], tools=tools, work=work, inner=inner)
    world = FluxWorld(api, client, clock, ledger, flux.faults, inner.inside, ailing)
    hands = [asyncio.create_task(hand(world)) for hand in _HANDS]
    try:
        await world.apply_namespaces("flux-system")
        await world.apply(*(make_crd(crd) for crd in _FLUX_CRDS))
        for crd in _FLUX_CRDS:
            await world.until(CRD, crd.name, "", lambda obj: bool(at(obj, "status")))
        await flux.start()
        await plant_flux(world)
        yield world
    finally:
        await flux.stop()
        await inner.inside.close()
        for hand in hands:
            hand.cancel()
        await asyncio.gather(*hands, return_exceptions=True)


async def _do_nothing() -> None:
    pass


async def plant_flux(world: FluxWorld) -> None:
    """Put the controllers' Deployments there, as `flux install` does."""
    for name in ("source-controller", "kustomize-controller", "helm-controller"):
        await world.apply(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {
                    "name": name,
                    "namespace": "flux-system",
                    "labels": {"app.kubernetes.io/part-of": "flux"},
                },
                "spec": {
                    "replicas": 1,
                    "selector": {"matchLabels": {"app": name}},
                    "template": {
                        "metadata": {"labels": {"app": name}},
                        "spec": {"containers": [{"name": "manager", "image": "x"}]},
                    },
                },
            }
        )


def _follow(kind: tuple[str, str]) -> Callable[[_Touch], _Hand]:
    def decorate(touch: _Touch) -> _Hand:
        async def hand(world: FluxWorld) -> None:
            async for event in world.client.watch(*kind):
                if event.type != "DELETED":
                    await touch(world, event.object)

        return hand

    return decorate


_Touch = Callable[[FluxWorld, Object], Awaitable[None]]
_Hand = Callable[[FluxWorld], Coroutine[None, None, None]]


async def _run_workload(world: FluxWorld, obj: Object) -> None:
    status = at(obj, "status")
    generation = number(obj, "metadata", "generation")
    if status.get("observedGeneration") == generation or name_of(obj) in world.broken:
        return
    replicas = number(obj, "spec", "replicas", default=1)
    counts: Object = dict.fromkeys(_COUNTS, replicas)
    await _write(world, obj, {"observedGeneration": generation, **counts})


async def _establish(world: FluxWorld, obj: Object) -> None:
    if maps(obj, "status", "conditions"):
        return
    world.api.registry.add(read_crd(obj))
    established: Object = {"type": "Established", "status": "True"}
    await _write(world, obj, {"conditions": [established]})


async def _complete(world: FluxWorld, obj: Object) -> None:
    if not maps(obj, "status", "conditions") and name_of(obj) not in world.broken:
        complete: Object = {"type": "Complete", "status": "True"}
        await _write(world, obj, {"conditions": [complete]})


async def _bind(world: FluxWorld, obj: Object) -> None:
    if text(obj, "status", "phase") != "Bound":
        await _write(world, obj, {"phase": "Bound"})


async def _write(world: FluxWorld, obj: Object, status: Object) -> None:
    if await world.client.find(
        text(obj, "apiVersion"), text(obj, "kind"), name_of(obj), namespace_of(obj)
    ):
        metadata: Object = {"name": name_of(obj), "namespace": namespace_of(obj)}
        await world.client.update_status(
            {
                "apiVersion": obj["apiVersion"],
                "kind": obj["kind"],
                "metadata": metadata,
                "status": status,
            }
        )


async def _give_address(world: FluxWorld, obj: Object) -> None:
    if not text(obj, "spec", "clusterIP"):
        await world.client.patch(
            "v1",
            "Service",
            name_of(obj),
            namespace_of(obj),
            body={"spec": {"clusterIP": "10.0.0.1"}},
        )


_HANDS = (
    *(_follow(("apps/v1", kind))(_run_workload) for kind in _WORKLOADS),
    _follow(CRD)(_establish),
    _follow(("batch/v1", "Job"))(_complete),
    _follow(("v1", "PersistentVolumeClaim"))(_bind),
    _follow(("v1", "Service"))(_give_address),
)

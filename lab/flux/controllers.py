"""Flux as a whole: its controllers run while their Deployments are Available, and not else."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab.clock import LabClock
from lab.flux.actions import HelmActions
from lab.flux.artifacts import Artifacts, SourceKey
from lab.flux.build import Builder
from lab.flux.dependencies import KUSTOMIZATION, source_key_of
from lab.flux.faults import SourceFaults
from lab.flux.git import GitFetcher
from lab.flux.kustomizations import Kustomizations
from lab.flux.objects import Context
from lab.flux.queue import Controller, KindName, Reconcile
from lab.flux.readiness import Readiness
from lab.flux.releases import HELM_RELEASE, Releases, chart_key_of
from lab.flux.rendering import Renderer
from lab.flux.sources import SOURCES, Sources
from lab.kubernetes.client import KubernetesClient
from lab.kubernetes.errors import ApiError
from lab.kubernetes.inside import Inside
from lab.kubernetes.inside_client import InsideClient
from lab.kubernetes.values import Object, maps, name_of, number, texts
from lab.tools import LabTools
from lab.vital import begin_vital

__all__ = ["Flux"]

_NAMESPACE = "flux-system"
_DEPLOYMENT = ("apps/v1", "Deployment")
# Simulated seconds until the Deployments are looked for again while the API is away.
_AGAIN_S = 2.0
# --concurrent of each controller unless its Deployment says otherwise.
_CONCURRENT = {"source-controller": 2, "kustomize-controller": 4, "helm-controller": 4}
_FIND_SOURCE: Mapping[KindName, Callable[[Object], SourceKey]] = {
    KUSTOMIZATION: source_key_of,
    HELM_RELEASE: chart_key_of,
}
_ARGUMENT = re.compile(r"--concurrent=(\d+)")


@dataclass(slots=True)
class _Running:
    workers: int
    task: asyncio.Task[None]


class Flux:
    """source-controller, kustomize-controller and helm-controller of one cluster.

    `tools` must see the remote (git's `insteadOf` in its environment) and find kubectl, helm and
    sops; `charts` are the chart cache folders; `work` is a folder for artifacts and builds, made
    when absent. `inner` asks as controllers do, who suffer when the API does, and end when they
    cannot renew their Leases; `client` looks from outside.
    """

    def __init__(
        self,
        clock: LabClock,
        client: KubernetesClient,
        *,
        charts: Sequence[Path],
        tools: LabTools,
        work: Path,
        inner: InsideClient | None = None,
    ) -> None:
        self._clock = clock
        self._client = client
        self._inner = inner or client
        self._inside = inner.inside if inner else None
        self._leading = asyncio.Event()  # set when whether they lead may have changed
        self._deployments: dict[str, Object] = {}
        self._artifacts = Artifacts()
        self._artifacts.listen(self._pass_on)
        self._readiness = Readiness(clock, client)
        self._running: dict[str, _Running] = {}
        self._controllers: dict[KindName, Controller] = {}
        self._tasks: list[asyncio.Task[None]] = []
        work.mkdir(parents=True, exist_ok=True)
        source, kustomize, helm = (
            Context(clock, self._inner, f"{name}-controller")
            for name in ("source", "kustomize", "helm")
        )
        self.faults = SourceFaults()
        git = GitFetcher(tools, work / "git")
        sources = Sources(source, self._artifacts, git, charts, self.faults)
        builder = Builder(kustomize, tools, work / "builds")
        renderer = Renderer(client, tools)
        actions = HelmActions(helm, self._readiness)
        kustomizations = Kustomizations(kustomize, self._artifacts, builder, self._readiness)
        releases = Releases(helm, self._artifacts, renderer, actions)
        self._reconcilers: dict[str, list[tuple[KindName, Reconcile]]] = {
            "source-controller": [(kind, sources.reconcile) for kind in SOURCES],
            "kustomize-controller": [(KUSTOMIZATION, kustomizations.reconcile)],
            "helm-controller": [(HELM_RELEASE, releases.reconcile)],
        }

    async def start(self) -> None:
        """Begin to follow the Deployments; returns at once."""
        self._tasks.append(begin_vital(self._supervise(), "Flux"))
        if self._inside is not None:
            self._inside.listen(self._leading.set)
            self._tasks.append(begin_vital(self._follow_lead(self._inside), "Flux' lead"))

    async def stop(self) -> None:
        """Stop everything and wait for it."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for name in [*self._running]:
            await self._halt(name)
        await self._readiness.stop()

    async def _supervise(self) -> None:
        while True:
            try:
                async for event in self._client.watch(*_DEPLOYMENT, _NAMESPACE, copies=False):
                    gone = event.type == "DELETED"
                    await self._follow(event.object, gone=gone)
            except ApiError:
                for name in [*self._running]:
                    await self._halt(name)
                await self._clock.pause(_AGAIN_S)

    async def _follow_lead(self, inside: Inside) -> None:
        """End the controllers when they cannot renew their Leases; their pods stay, and data."""
        while True:
            await self._leading.wait()
            self._leading.clear()
            if inside.flux.holds:
                for deployment in [*self._deployments.values()]:
                    await self._follow(deployment, gone=False)
            else:
                for name in [*self._running]:
                    await self._halt(name, keeps_artifacts=True)

    async def _follow(self, deployment: Object, *, gone: bool) -> None:
        name = name_of(deployment)
        if name not in self._reconcilers:
            return
        running = self._running.get(name)
        if running is not None and running.task.done():
            running.task.result()  # a controller ends by a bug only: let it be seen
        if gone:
            self._deployments.pop(name, None)
        else:
            self._deployments[name] = deployment
        available = not gone and number(deployment, "status", "availableReplicas") > 0
        workers = _find_workers(deployment)
        if not available:
            await self._halt(name)
        elif running is None and (self._inside is None or self._inside.flux.holds):
            self._running[name] = _Running(
                workers, begin_vital(self._run(name, workers), f"Flux' {name}")
            )

    async def _run(self, name: str, workers: int) -> None:
        async with asyncio.TaskGroup() as group:
            for kind, reconcile in self._reconcilers[name]:
                controller = Controller(
                    *(self._clock, self._inner, kind, reconcile),
                    workers=workers,
                    find_source=_FIND_SOURCE.get(kind),
                )
                self._controllers[kind] = controller
                group.create_task(controller.run())

    async def _halt(self, name: str, *, keeps_artifacts: bool = False) -> None:
        running = self._running.pop(name, None)
        if running is None:
            return
        for kind, _ in self._reconcilers[name]:
            self._controllers.pop(kind, None)
        if name == "source-controller" and not keeps_artifacts:
            self._artifacts.clear()
        running.task.cancel()
        with suppress(asyncio.CancelledError):
            await running.task

    def _pass_on(self, key: SourceKey) -> None:
        """Wake whoever builds from a source that has something new."""
        for controller in self._controllers.values():
            controller.enqueue_users(key)


def _find_workers(deployment: Object) -> int:
    arguments = [
        argument
        for container in maps(deployment, "spec", "template", "spec", "containers")
        for argument in texts(container, "args")
    ]
    for argument in arguments:
        found = _ARGUMENT.fullmatch(argument)
        if found:
            return int(found[1])
    return _CONCURRENT[name_of(deployment)]

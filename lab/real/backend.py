"""The real pair as what the lab's Kubernetes is kept by (`lab.kubernetes.backend`)."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path

from lab.clock import LabClock
from lab.kubernetes.ailing import ApiFault
from lab.kubernetes.backend import API_PORT
from lab.kubernetes.controllers.world import Controller, World
from lab.kubernetes.errors import NotFoundError
from lab.kubernetes.pki import issue_certificate
from lab.kubernetes.registry import is_established, read_crd
from lab.kubernetes.store import Change, Place
from lab.kubernetes.values import Object, write_time
from lab.network import Lines
from lab.ports import KubernetesPki, NodeFacts
from lab.real.api import RealApi
from lab.real.apiserver import RealApiServer, StartError
from lab.real.channel import Channel
from lab.real.discovery import list_followed, read_kinds
from lab.real.door import Answer, Door
from lab.real.etcd import RealEtcd
from lab.real.feed import Feed
from lab.real.front import SERVER_PORT
from lab.real.fronts import Fronts
from lab.real.programs import Programs
from lab.real.stale import StaleApi
from lab.real.webhooks import CaInjector, judge_address
from lab.snapshots import StoredKey
from lab.tls import load_identity
from lab.vital import begin_vital, end_tasks

__all__ = ["RealBackend"]

_log = logging.getLogger(__name__)

_CRDS = "customresourcedefinitions.apiextensions.k8s.io"
# Simulated seconds until a kubelet starts a static pod again that ended. Estimate.
_RESTART_S = 20.0
# Wall seconds between two looks at processes that nobody ended.
_LOOK_S = 0.5


class RealBackend:
    """A kube-apiserver a control plane, and a mirror of what they hold in etcd."""

    def __init__(
        self,
        clock: LabClock,
        programs: Programs,
        folder: Path,
        *,
        port: int = API_PORT,
        lines: Lines | None = None,
        etcd: RealEtcd | None = None,
    ) -> None:
        self._clock = clock
        self._programs = programs
        self._folder = folder
        self._port = port
        self._channel = Channel(SERVER_PORT)
        self._real = RealApi(lambda: write_time(clock.now()), self._channel)
        self._pki: KubernetesPki | None = None
        self._servers: dict[str, RealApiServer] = {}
        self._fronts = Fronts(clock, lines or Lines(clock), port, etcd)
        self._stale = StaleApi(self._channel)
        self.faults = self._fronts.faults
        self.faults.listen(self._settle_discovery)
        self._feed: Feed | None = None
        self._then: Callable[[], None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._world: World | None = None
        self._door = Door(folder, self._judge)

    @property
    def api(self) -> RealApi:
        """Reads from the mirror and writes through."""
        return self._real

    def make_controllers(self, world: World) -> tuple[Controller, ...]:
        """Make what lets webhooks be trusted: the real API server establishes CRDs itself."""
        self._world = world
        return (CaInjector(world),)

    async def empty(self, pki: KubernetesPki) -> None:
        """Begin with what etcd holds by now, under this PKI."""
        await self.close()
        self._real.reset()
        self._pki = self._door.pki = pki
        self._channel.context = _make_context(pki)

    def load(self, keys: Sequence[StoredKey]) -> None:
        """Do nothing: etcd itself began with them."""
        del keys

    def when_writable(self, then: Callable[[], None]) -> None:
        """Call `then` once the first API server answers."""
        self._then = then

    async def warm_up(self, node: NodeFacts) -> None:
        """Start a control plane's API server and wait until it is ready or stopped again."""
        async with self._clock.span(f"kube-apiserver of {node.name} ready"):
            while not await self._start(node):
                await self._clock.pause(_RESTART_S)

    async def serve(self, node: NodeFacts) -> None:
        """Let everybody use an API server that is ready."""
        await self._open_front(node)
        self._channel.add(node.name, node.loopback)
        if self._feed is None:
            await self._begin_feed()
        self._fronts.settle_vip()
        if self._keeper is None:
            self._keeper = begin_vital(self._keep_running(), "keeper of static pods")
        then, self._then = self._then, None
        if then is not None:
            then()

    async def stop(self, name: str) -> None:
        """End a control plane's API server."""
        self._channel.remove(name)
        await self._fronts.close(name)
        server = self._servers.pop(name, None)
        if server is not None:
            await server.end()
        self._fronts.settle_vip()

    async def set_etcd(self, name: str, *, answers: bool) -> None:
        """Ask a server no more in whose etcd nobody answers; others may, and see what it says."""
        server = self._servers.get(name)
        if server is None:
            return
        if answers:
            self._channel.add(name, server.node.loopback)
        else:
            self._channel.remove(name)

    async def offer_vip(self, name: str, *, can_hold: bool) -> None:
        """Move VIPs away from a control plane that may not hold one any more."""
        self._fronts.offer_vip(name, can_hold=can_hold)

    def refresh(self, node: NodeFacts) -> None:
        """Do nothing: the version is that of the program."""

    def evict(self, place: Place, grace_s: int) -> None:
        """Ask the server to evict a pod."""
        kind = self._real.registry.of_resource(place.resource)
        if kind is None:
            raise NotFoundError(f'{place.resource} "{place.name}" not found')
        eviction: Object = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": place.name, "namespace": place.namespace},
            "deleteOptions": {"gracePeriodSeconds": grace_s},
        }
        self._real.remote.create(kind, eviction, subresource="eviction")

    async def close(self) -> None:
        """End every process and watch."""
        keeper, self._keeper = self._keeper, None
        await end_tasks(keeper)
        for name in list(self._servers):
            await self.stop(name)
        await self._stale.close()
        if self._feed is not None:
            await self._feed.close()
            self._feed = None
        self._door.close()

    def _judge(self, address: str) -> Answer:
        if self._world is None:
            return Answer(failure="no route to host")
        return judge_address(self._world, address)

    async def _keep_running(self) -> None:
        """Start an API server that ended by itself again, as a kubelet does with static pods."""
        while True:
            await asyncio.sleep(_LOOK_S)
            for name, server in list(self._servers.items()):
                if server.has_ended and self._channel.knows(name):
                    _log.warning("%s: kube-apiserver ended, and is started again", name)
                    self._channel.remove(name)
                    self._fronts.hush(name)
                    await self.warm_up(server.node)
                    if name in self._servers:
                        self._channel.add(name, server.node.loopback)
                        self._fronts.resume(name)

    async def _start(self, node: NodeFacts) -> bool:
        """Start a process; tell whether to leave it at that: it is ready, or nobody wants it."""
        if self._pki is None or self._channel.context is None:
            message = f"{node.name}: no cluster was created, so there is no API to serve"
            raise RuntimeError(message)
        folder = self._folder / node.name
        server = RealApiServer(self._programs, folder, node, self._port, self._door.path)
        self._servers[node.name] = server
        server.begin(self._pki)
        try:
            await server.wait_ready(self._channel.context)
        except StartError as error:
            _log.warning("%s: %s", node.name, error)
            await server.end()
            return self._servers.get(node.name) is not server
        return True

    async def _begin_feed(self) -> None:
        """Fill the mirror: CRDs first, which say what else is served."""
        store = self._real.store
        self._feed = Feed(self._channel, store)
        read_kinds(self._channel, self._real.registry)
        crds = self._real.registry.of_resource(_CRDS)
        if crds is not None:
            self._feed.follow([crds])
            await self._feed.sync()
        for crd in store.all(_CRDS):
            self._serve_crd(Change(0, "ADDED", _CRDS, crd, None))
        store.listen(self._serve_crd)
        self._feed.follow(list_followed(self._real.registry))
        await self._feed.sync()

    def _serve_crd(self, change: Change) -> None:
        """Know a kind while its CRD is Established."""
        if change.resource != _CRDS:
            return
        registry, kind = self._real.registry, read_crd(change.object)
        if change.type == "DELETED":
            registry.remove(kind.resource)
            if self._feed is not None:
                self._feed.forget(kind.resource)
        elif is_established(change.object) and registry.of_resource(kind.resource) != kind:
            registry.add(kind)
            if self._feed is not None:
                self._feed.follow([kind])

    async def _open_front(self, node: NodeFacts) -> None:
        """Let clients reach an API server, and faults strike it."""
        pki, name = self._pki, node.name
        assert pki is not None  # noqa: S101 # it was started with one

        async def end() -> None:
            self._channel.remove(name)
            await self._servers[name].end()

        async def start() -> None:
            await self.warm_up(node)
            if name in self._fronts:
                self._channel.add(name, node.loopback)

        await self._fronts.open(node, pki, end, start)

    def _settle_discovery(self) -> None:
        self._stale.settle(is_down=self.faults.strikes_all(ApiFault.AGGREGATED_DOWN))


def _make_context(pki: KubernetesPki) -> ssl.SSLContext:
    """Make the TLS of an administrator."""
    certificate, key = issue_certificate(pki, "lab", ("system:masters",))
    context = ssl.create_default_context(cadata=pki.ca_crt.decode())
    load_identity(context, certificate, key)
    return context

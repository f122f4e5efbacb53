"""What keeps a cluster's data and answers for it: the lab's own store and API servers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lab.clock import LabClock
from lab.kubernetes.ailing import ApiFaults, Health
from lab.kubernetes.api import Api
from lab.kubernetes.controllers.housekeeping import CrdController
from lab.kubernetes.controllers.world import Controller, World
from lab.kubernetes.durations import APISERVER_START_S
from lab.kubernetes.etcd import load_store
from lab.kubernetes.evicting import evict_pod
from lab.kubernetes.http.routes import Routes
from lab.kubernetes.http.server import ApiServer
from lab.kubernetes.pki import make_server_context, server_names
from lab.kubernetes.store import Place
from lab.kubernetes.values import write_time
from lab.ledger import CAUSE
from lab.network import Lines
from lab.ports import KubernetesPki, NodeFacts
from lab.snapshots import StoredKey

__all__ = ["API_PORT", "Backend", "LabBackend"]

API_PORT = 6443


class Backend(Protocol):
    """Keeps the data of one cluster, and runs the API servers in front of it."""

    @property
    def api(self) -> Api:
        """What controllers and in-process clients read and write."""
        ...

    @property
    def faults(self) -> ApiFaults:
        """What API servers can be made to suffer."""
        ...

    def make_controllers(self, world: World) -> tuple[Controller, ...]:
        """Make the controllers that an API server has in itself."""
        ...

    async def empty(self, pki: KubernetesPki) -> None:
        """Begin with other data, under this PKI."""
        ...

    def load(self, keys: Sequence[StoredKey]) -> None:
        """Begin with the data of a snapshot."""
        ...

    def when_writable(self, then: Callable[[], None]) -> None:
        """Call `then` once objects can be written."""
        ...

    async def warm_up(self, node: NodeFacts) -> None:
        """Let a control plane's API server take the time that its start takes."""
        ...

    async def serve(self, node: NodeFacts) -> None:
        """Answer on the node's loopback address, and on its VIP when nobody does.

        Raises:
            OSError: somebody else listens there.
        """
        ...

    async def stop(self, name: str) -> None:
        """Answer for that node no more; the VIP moves to another control plane."""
        ...

    async def set_etcd(self, name: str, *, answers: bool) -> None:
        """Let an API server go on without etcd, or with it again."""
        ...

    async def offer_vip(self, name: str, *, can_hold: bool) -> None:
        """Let a control plane hold its VIP or not; who holds it keeps it while it may."""
        ...

    def refresh(self, node: NodeFacts) -> None:
        """Note what changed about a control plane whose API server runs."""
        ...

    def evict(self, place: Place, grace_s: int) -> None:
        """Evict a pod.

        Raises:
            TooManyRequestsError: its disruption budget allows none now.
            NotFoundError: there is no such pod.
        """
        ...

    async def close(self) -> None:
        """End everything."""
        ...


@dataclass(slots=True)
class _Serving:
    facts: NodeFacts
    server: ApiServer
    routes: Routes
    vip: ApiServer | None = field(default=None)

    async def hush(self) -> None:
        """Be gone for a while, on the VIP, too."""
        for server in filter(None, (self.server, self.vip)):
            await server.hush()

    async def resume(self) -> None:
        """Be there again."""
        for server in filter(None, (self.server, self.vip)):
            await server.resume()


class LabBackend:
    """The lab's own: one store, and an aiohttp server a control plane."""

    def __init__(
        self, clock: LabClock, *, port: int = API_PORT, lines: Lines | None = None
    ) -> None:
        self._lines = lines or Lines(clock)
        self.api = Api(lambda: write_time(clock.now()))
        self._clock = clock
        self._port = port
        self._pki: KubernetesPki | None = None
        self._serving: dict[str, _Serving] = {}
        self._unheard: set[str] = set()  # control planes that may not hold the VIP
        self.faults = ApiFaults(clock)

    def make_controllers(self, world: World) -> tuple[Controller, ...]:
        """Make the one that establishes CRDs."""
        return (CrdController(world),)

    async def empty(self, pki: KubernetesPki) -> None:
        """Begin with empty data; every watch ends."""
        self.api.reset()
        self._pki = pki

    def load(self, keys: Sequence[StoredKey]) -> None:
        """Put the objects of a snapshot into the store."""
        load_store(keys, self.api.store, self.api.registry)

    def when_writable(self, then: Callable[[], None]) -> None:
        """Call `then` now: the store is always there."""
        then()

    async def warm_up(self, node: NodeFacts) -> None:
        """Let simulated time pass."""
        await self._clock.wait(APISERVER_START_S, f"kube-apiserver of {node.name} ready")

    async def serve(self, node: NodeFacts) -> None:
        """Listen on the node's loopback address, and on its VIP when nobody does."""
        if self._pki is None:
            message = f"{node.name}: no cluster was created, so there is no API to serve"
            raise RuntimeError(message)
        version, ledger = node.apiserver_version, self._clock.ledger
        health = Health(self._clock)
        routes = Routes(
            self.api, self._clock.now, version, ledger=ledger, cause=CAUSE.get(), health=health
        )
        server = ApiServer(routes)
        context = make_server_context(self._pki, server_names(node))
        await server.listen(self._lines[node.loopback], self._port, context)
        serving = self._serving[node.name] = _Serving(node, server, routes)
        self.faults.add(node.name, health, serving.hush, serving.resume)
        await self._settle_vip(self._pki)

    async def stop(self, name: str) -> None:
        """Close the servers of one control plane."""
        stopped = self._serving.pop(name, None)
        if stopped is None:
            return
        await self.faults.remove(name)
        self._unheard.discard(name)
        await stopped.server.close()
        if stopped.vip is not None:
            await stopped.vip.close()
        if self._pki is not None:
            await self._settle_vip(self._pki)

    async def set_etcd(self, name: str, *, answers: bool) -> None:
        """Let it answer as without etcd."""
        self.faults.set_etcd(name, answers=answers)

    async def offer_vip(self, name: str, *, can_hold: bool) -> None:
        """Move the VIP away from a control plane that may not hold it any more."""
        if can_hold:
            self._unheard.discard(name)
        else:
            self._unheard.add(name)
        serving = self._serving.get(name)
        if not can_hold and serving is not None and serving.vip is not None:
            vip, serving.vip = serving.vip, None
            await vip.close()
        if self._pki is not None:
            await self._settle_vip(self._pki)

    def refresh(self, node: NodeFacts) -> None:
        """Tell the version that the machine config names by now."""
        if node.name in self._serving:
            self._serving[node.name].routes.version = node.apiserver_version

    def evict(self, place: Place, grace_s: int) -> None:
        """Evict a pod."""
        evict_pod(self.api, place.name, place.namespace, grace_s=grace_s, dry_run=False)

    async def close(self) -> None:
        """Close every server."""
        for name in list(self._serving):
            await self.stop(name)

    async def _settle_vip(self, pki: KubernetesPki) -> None:
        """Have one control plane of each VIP hold it."""
        held = {serving.facts.vip_loopback for serving in self._serving.values() if serving.vip}
        for name, serving in self._serving.items():
            address = serving.facts.vip_loopback
            if not address or address in held or name in self._unheard:
                continue
            held.add(address)
            serving.vip = ApiServer(serving.routes)
            self._lines[address].follow(self._lines[serving.facts.loopback])
            context = make_server_context(pki, server_names(serving.facts))
            await serving.vip.listen(self._lines[address], self._port, context)

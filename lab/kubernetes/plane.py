"""The cluster's Kubernetes as machines drive it: `lab.ports.KubernetesPlane`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from lab.clock import LabClock
from lab.kubernetes.ailing import ApiFault
from lab.kubernetes.backend import API_PORT, Backend, LabBackend
from lab.kubernetes.client import KubernetesClient
from lab.kubernetes.controllers.bootstrap import (
    plant_bootstrap,
    plant_static_pods,
    remove_static_pods,
)
from lab.kubernetes.controllers.csrs import request_serving
from lab.kubernetes.controllers.dispatcher import Dispatcher
from lab.kubernetes.controllers.kubelets import Kubelets
from lab.kubernetes.controllers.longhorn import judge_again
from lab.kubernetes.controllers.manifests import BootstrapManifests
from lab.kubernetes.controllers.nodes import beat, is_ready, register_node
from lab.kubernetes.controllers.restarts import Restarts
from lab.kubernetes.controllers.webhooks import Webhooks
from lab.kubernetes.controllers.world import World
from lab.kubernetes.draining import Keeper
from lab.kubernetes.durations import KUBELET_REGISTER_S
from lab.kubernetes.errors import UnavailableError
from lab.kubernetes.etcd import dump_store
from lab.kubernetes.faults import Faults, PodFault
from lab.kubernetes.inside import Inside, Insider
from lab.kubernetes.inside_client import InsideClient
from lab.kubernetes.roster import find_insider, make_controllers
from lab.kubernetes.servers import Servers
from lab.kubernetes.unheard import Unheard
from lab.ports import KubernetesPki, NodeFacts
from lab.snapshots import StoredKey
from lab.vital import begin_vital, end_tasks

__all__ = ["Kubernetes"]


class Kubernetes:
    """One cluster: API servers on loopback addresses, one store, and the controllers.

    Give it the lab's clock; machines call the methods of `KubernetesPlane`; `lab.flux` uses
    `client`. `await close()` ends everything. What is written is kept by `backend`, the lab's own
    unless another is given.
    """

    def __init__(
        self, clock: LabClock, *, port: int = API_PORT, backend: Backend | None = None
    ) -> None:
        self._clock = clock
        self._backend = backend or LabBackend(clock, port=port)
        self._api = self._backend.api
        inside = Inside(clock, self._backend.faults)
        self._world = World(self._api, clock, inside)
        Restarts(self._world)
        self._kubelets = Kubelets(self._world)
        self._manifests = BootstrapManifests(self._world)
        self._unheard = Unheard(clock, self._backend.faults, self._lose, self._hear)
        self._dispatcher: Dispatcher | None = None
        self._servers = Servers(self._api)
        self._registrations: dict[str, asyncio.Task[None]] = {}
        self._heart: asyncio.Task[None] | None = None
        self._api.admission.append(Webhooks(self._world))
        self._starting: dict[str, object] = {}
        self._booted: set[str] = set()  # nodes whose pods must be started again
        self._returned: set[str] = set()  # nodes that were lost, and whose pods go on
        self.client = KubernetesClient(self._api)
        self.inner = InsideClient(self._api, inside)  # Flux' own
        self.keeper = Keeper(self._backend, self.client, inside)

    @property
    def faults(self) -> Faults:
        """What shall go wrong."""
        return self._world.faults

    def set_fault(self, target: str, fault: str, *, on: bool = True) -> None:
        """Switch a fault of a target; see `PodFault` and `ApiFault` for both.

        Pods that suffer from one that is switched off begin anew, as kubelet tries again; volumes
        are judged anew.

        Raises:
            ValueError: the fault is not known.
        """
        if fault in set(ApiFault):
            self._backend.faults.switch(ApiFault(fault), target, on=on)
            return
        self.faults.switch(PodFault(fault), target, on=on)
        if not on:
            self._kubelets.try_again()
        judge_again(self._world)

    async def create(self, pki: KubernetesPki) -> None:
        """Begin with empty data: etcd was bootstrapped."""
        self._clock.ledger.count("kubernetes.create")
        await self._empty(pki)
        self._world.networked.clear()

        def begin() -> None:
            plant_bootstrap(self._world)
            self._begin()

        self._backend.when_writable(begin)

    async def restore(self, pki: KubernetesPki, keys: Sequence[StoredKey]) -> None:
        """Begin with the data of a snapshot: etcd was recovered; see `KubernetesPlane`.

        Raises:
            ValueError: a key's value cannot be read.
        """
        self._clock.ledger.count("kubernetes.restore")
        await self._empty(pki)
        self._backend.load(keys)
        self._backend.when_writable(self._begin)

    def dump(self) -> Sequence[StoredKey]:
        """Read all data as etcd holds it now."""
        return tuple(dump_store(self._api.store, self._api.registry))

    async def _empty(self, pki: KubernetesPki) -> None:
        await self._stop_controllers()
        await self._backend.empty(pki)
        self._world.pki = pki
        self._kubelets = Kubelets(self._world)

    def _begin(self) -> None:
        """Reconcile what is there, and hear the kubelets that run."""
        own = (*self._backend.make_controllers(self._world), self._manifests)
        self._dispatcher = Dispatcher(
            self._world, make_controllers(self._world, self._kubelets, own), find_insider
        )
        self._dispatcher.start()
        self._heart = begin_vital(beat(self._world), "heart beats of Kubernetes")
        for facts in list(self._world.nodes.values()):
            self._register_soon(facts)

    async def start_apiserver(self, node: NodeFacts) -> None:
        """Listen on the node's loopback:6443, after the time that a real one takes.

        Raises:
            RuntimeError: the cluster was not created.
            OSError: somebody else listens there.
        """
        if node.name in self._servers or node.name in self._starting:
            return
        if self._world.pki is None:
            message = f"{node.name}: no cluster was created, so there is no API to serve"
            raise RuntimeError(message)
        mine = self._starting[node.name] = object()
        try:
            await self._backend.warm_up(node)
            # Stopped meanwhile, perhaps started again: then this start is not the one any more.
            if self._starting.get(node.name) is mine:
                await self._serve(node)
        finally:
            if self._starting.get(node.name) is mine:
                del self._starting[node.name]

    async def _serve(self, node: NodeFacts) -> None:
        await self._backend.serve(node)
        self._servers.add(node.name)
        self._manifests.offer(node.name, node.manifests)
        if node.name in self._world.nodes and self._world.store.get("nodes", "", node.name):
            plant_static_pods(self._world, node)

    async def stop_apiserver(self, name: str) -> None:
        """Stop listening for that node; the VIP moves to another control plane."""
        is_starting = self._starting.pop(name, None) is not None
        if name not in self._servers:
            if is_starting:
                await self._backend.stop(name)
            return
        self._servers.remove(name)
        self._manifests.withdraw(name)
        await self._backend.stop(name)
        with contextlib.suppress(UnavailableError):
            remove_static_pods(self._world, name)

    async def set_etcd(self, name: str, *, answers: bool) -> None:
        """Let an API server go on without etcd, or with it again."""
        self._servers.set_etcd(name, answers=answers)
        await self._backend.set_etcd(name, answers=answers)

    async def offer_vip(self, name: str, *, can_hold: bool) -> None:
        """Let a control plane campaign for the VIP, or not any more."""
        await self._backend.offer_vip(name, can_hold=can_hold)

    async def start_kubelet(self, node: NodeFacts) -> None:
        """Register or refresh the Node once an API server answers, and run its pods.

        Called for a kubelet that runs, it only refreshes: pods survive a kubelet's restart.
        """
        if not self._unheard.keep(node):
            self._hear(node)

    def _hear(self, node: NodeFacts) -> None:
        if node.name in self._world.lost:
            self._returned.add(node.name)
        elif node.name not in self._world.nodes:
            self._booted.add(node.name)
        self._world.lost.discard(node.name)
        self._world.nodes[node.name] = node
        self._backend.refresh(node)
        if node.name in self._servers:
            self._manifests.offer(node.name, node.manifests)
        self._register_soon(node)

    async def stop_kubelet(self, name: str, *, is_lost: bool = False) -> None:
        """Stop the node's heart beat and pods; those of a lost node may go on later."""
        self._unheard.forget(name)
        self._miss(name, is_lost=is_lost)

    def _lose(self, name: str) -> NodeFacts | None:
        """Miss a node whose kubelet goes on; None when there is none that is heard of."""
        if (facts := self._world.nodes.get(name)) is not None:
            self._miss(name, is_lost=True)
        return facts

    def _miss(self, name: str, *, is_lost: bool) -> None:
        if registration := self._registrations.pop(name, None):
            registration.cancel()
        self._world.nodes.pop(name, None)
        self._returned.discard(name)
        if is_lost:
            self._world.lost.add(name)
        elif name in self._world.lost:
            self._world.lost.discard(name)
            self._booted.add(name)
        self._world.forget(f"csr/{name}")
        with contextlib.suppress(UnavailableError):  # then nobody hears that it stopped, as in life
            self._kubelets.stop_pods(name)
        self._touch_node(name)

    def is_node_ready(self, name: str) -> bool:
        """Tell whether Kubernetes counts the node as Ready (needs the CNI)."""
        return is_ready(self._world, name)

    def list_applied_manifests(self, name: str) -> Sequence[str]:
        """List ids of a control plane's manifests, once all of their objects were created."""
        return self._manifests.list_applied(name)

    async def close(self) -> None:
        """Stop every server and controller."""
        for name in self._servers.names:
            await self.stop_apiserver(name)
        await self._stop_controllers()
        await self._unheard.close()
        await self._world.inside.close()
        await self._backend.close()

    async def _stop_controllers(self) -> None:
        tasks = (*self._registrations.values(), self._heart)
        self._registrations.clear()
        await end_tasks(*tasks)
        if self._dispatcher is not None:
            await self._dispatcher.close()
        await self._world.close()

    def _register_soon(self, node: NodeFacts) -> None:
        if before := self._registrations.pop(node.name, None):
            before.cancel()
        self._registrations[node.name] = begin_vital(
            self._register(node), f"kubelet of {node.name}"
        )

    async def _register(self, node: NodeFacts) -> None:
        is_told = False
        while not is_told:
            await self._servers.wait()
            self._clock.ledger.follow(self._servers.cause)
            await self._clock.wait(KUBELET_REGISTER_S, f"kubelet of {node.name} registered")
            if node.name not in self._world.nodes:
                return
            with contextlib.suppress(UnavailableError):  # it went again: the kubelet tries on
                with self._world.act_as(Insider.KUBELET):
                    self._tell_of(node)
                is_told = True

    def _tell_of(self, node: NodeFacts) -> None:
        register_node(self._world, node)
        if node.name in self._booted:
            self._booted.discard(node.name)
            self._kubelets.restart_pods(node.name)
        elif node.name in self._returned:
            self._kubelets.resume_pods(node.name)
        self._returned.discard(node.name)
        if node.name in self._servers:
            plant_static_pods(self._world, node)
        self._touch_node(node.name)
        if node.rotates_server_certificates:
            request_serving(self._world, node)

    def _touch_node(self, name: str) -> None:
        if self._dispatcher is not None:
            self._dispatcher.touch("nodes", name)

"""Simulated machines on loopback, a cluster's configs for them, and a gRPC client of our own."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import yaml
from grpclib.client import Channel

from lab.addresses import Addresses
from lab.clock import LabClock
from lab.ledger import Ledger
from lab.machines import Machines, MachineSpec, Stage, derive_hardware, pki
from lab.machines.protos import machine_pb2
from lab.machines.protos.machine_grpc import MachineServiceStub
from lab.network import Lines
from lab.ports import KubernetesPki, NodeFacts, NodeKeeperError, PodOnNode
from lab.snapshots import StoredKey

SPEED = 2000.0
PORT = 50000
TALOS = "v1.13.9"
# Test processes that run side by side get loopback networks of their own.
_NET = f"127.{100 + os.getpid() % 100}.{os.getpid() // 100 % 250}"


class FakeKeeper:
    """The nodes and pods of a cluster, as a machine that drains itself sees them."""

    def __init__(self) -> None:
        self.cordoned: set[str] = set()
        self.pods: list[PodOnNode] = []  # of every node
        self.guarded: set[str] = set()  # names of pods that a budget keeps
        self.problem = ""  # what the API says instead of an answer

    def is_cordoned(self, name: str) -> bool:
        """Tell."""
        return name in self.cordoned

    async def cordon(self, name: str) -> None:
        """Note it."""
        self._answer()
        self.cordoned.add(name)

    async def uncordon(self, name: str) -> bool:
        """Note it."""
        self._answer()
        self.cordoned.discard(name)
        return True

    async def list_evictable(self, name: str) -> Sequence[PodOnNode]:
        """List all."""
        del name
        self._answer()
        return tuple(self.pods)

    async def evict(self, pod: PodOnNode) -> bool:
        """Let a pod go unless a budget keeps it."""
        self._answer()
        if pod.name in self.guarded:
            return False
        self.pods.remove(pod)
        return True

    async def has_pod(self, pod: PodOnNode) -> bool:
        """Tell."""
        self._answer()
        return pod in self.pods

    def _answer(self) -> None:
        if self.problem:
            raise NodeKeeperError(self.problem)


class FakePlane:
    """Kubernetes as machines see it: remembers what it was told; nodes are ready at once."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.nodes: dict[str, NodeFacts] = {}
        self.not_ready: set[str] = set()
        self.keys: tuple[StoredKey, ...] = ()
        self.keeper = FakeKeeper()

    async def create(self, pki: KubernetesPki) -> None:
        """Note it."""
        self.calls.append("create" if pki.ca_crt else "create without CA")

    async def restore(self, pki: KubernetesPki, keys: Sequence[StoredKey]) -> None:
        """Take the keys over."""
        self.calls.append("restore" if pki.ca_crt else "restore without CA")
        self.keys = tuple(keys)

    def dump(self) -> Sequence[StoredKey]:
        """Hand out the keys."""
        return self.keys

    async def start_apiserver(self, node: NodeFacts) -> None:
        """Note it."""
        self.calls.append(f"start_apiserver {node.name}")

    async def stop_apiserver(self, name: str) -> None:
        """Note it."""
        self.calls.append(f"stop_apiserver {name}")

    async def set_etcd(self, name: str, *, answers: bool) -> None:
        """Note it."""
        self.calls.append(f"{'gain' if answers else 'lose'}_etcd {name}")

    async def offer_vip(self, name: str, *, can_hold: bool) -> None:
        """Note it."""
        self.calls.append(f"{'offer' if can_hold else 'deny'}_vip {name}")

    async def start_kubelet(self, node: NodeFacts) -> None:
        """Note it."""
        self.calls.append(f"start_kubelet {node.name}")
        self.nodes[node.name] = node

    async def stop_kubelet(self, name: str, *, is_lost: bool = False) -> None:
        """Note it."""
        self.calls.append(f"{'lose' if is_lost else 'stop'}_kubelet {name}")
        self.nodes.pop(name, None)

    def list_applied_manifests(self, name: str) -> Sequence[str]:
        """Apply none."""
        del name
        return ()

    def is_node_ready(self, name: str) -> bool:
        """Tell."""
        return name in self.nodes and name not in self.not_ready


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster's secrets, and the configs and client certificates made of them."""

    talos: pki.KeyPair = field(default_factory=lambda: pki.make_authority("talos"))
    kubernetes: pki.KeyPair = field(default_factory=lambda: pki.make_authority("kubernetes"))
    etcd: pki.KeyPair = field(default_factory=lambda: pki.make_authority("etcd"))

    def write_config(self, name: str, *, install: Mapping[str, object] | None = None) -> bytes:
        """Write a machine config; names beginning with `cp` are control planes."""
        is_control_plane = name.startswith("cp")
        document = {
            "version": "v1alpha1",
            "machine": {
                "type": "controlplane" if is_control_plane else "worker",
                "token": "abcdef.0123456789abcdef",
                "ca": _pair(self.talos, with_key=is_control_plane),
                "network": {"hostname": name},
                "nodeLabels": {"lab": "yes"},
                "kubelet": {
                    "image": "ghcr.io/siderolabs/kubelet:v1.36.3",
                    "extraArgs": {"rotate-server-certificates": "true"},
                },
                "install": dict(install or {})
                or {"disk": "/dev/sda", "image": "ghcr.io/siderolabs/installer:v1.13.9"},
            },
            "cluster": {
                "clusterName": "lab",
                "token": "lab123.0123456789abcdef",
                "controlPlane": {"endpoint": "https://10.77.0.10:6443"},
                "ca": _pair(self.kubernetes, with_key=is_control_plane),
                "etcd": {"ca": _pair(self.etcd, with_key=is_control_plane)},
            },
        }
        return yaml.safe_dump(document).encode()

    def make_client_context(self, role: str = "os:admin") -> ssl.SSLContext:
        """Make the context of a client with that role, which trusts this cluster's CA only."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.set_alpn_protocols(["h2"])
        context.load_verify_locations(cadata=self.talos.crt.decode())
        pki.load_leaf(context, pki.mint_client(self.talos, role))
        return context


@dataclass(slots=True)
class World:
    """Running machines, their Kubernetes, the cluster they get their configs from."""

    machines: Machines
    plane: FakePlane
    cluster: Cluster
    clock: LabClock
    channels: list[Channel] = field(default_factory=list)

    @property
    def ledger(self) -> Ledger:
        """The lab's ledger."""
        return self.clock.ledger

    def connect(self, name: str, *, role: str = "os:admin") -> Channel:
        """Make a channel to a configured machine."""
        return self._open(name, self.cluster.make_client_context(role))

    def connect_insecure(self, name: str) -> Channel:
        """Make a channel that trusts anything and shows nothing, as `--insecure` does."""
        return self._open(name, make_insecure_context())

    async def apply(self, *names: str) -> None:
        """Send each machine in maintenance its config."""
        for name in names:
            data = self.cluster.write_config(name)
            request = machine_pb2.ApplyConfigurationRequest(data=data, mode="AUTO")
            await MachineServiceStub(self.connect_insecure(name)).ApplyConfiguration(request)

    async def configure(self, *names: str) -> None:
        """Bring machines to the point where they wait: etcd asked for, or running."""
        await self.apply(*names)
        for name in names:
            await self.wait_configured(name)

    async def wait_configured(self, name: str) -> None:
        """Wait until a machine that got its config waits for etcd, or runs."""
        await self.until(partial(self.is_configured, name))

    async def wait_ready(self) -> None:
        """Wait until every configured machine is running and ready."""
        await self.until(self.all_ready)

    async def bootstrap(self, name: str = "cp1") -> None:
        """Bootstrap etcd and wait until every configured machine is running and ready."""
        request = machine_pb2.BootstrapRequest()
        await MachineServiceStub(self.connect(name)).Bootstrap(request)
        await self.wait_ready()

    def is_configured(self, name: str) -> bool:
        """Tell whether a machine is installed and waits for etcd, or runs."""
        machine = self.machines[name]
        etcd = machine.boot.services.get("etcd")
        waits = etcd is not None and etcd.state == "Preparing"
        is_up = waits or machine.boot.stage is Stage.RUNNING
        return machine.install is not None and machine.is_reachable and is_up

    def all_ready(self) -> bool:
        """Tell whether every configured machine is running and ready."""
        return all(
            machine.boot.stage is Stage.RUNNING and machine.boot.ready
            for machine in self.machines
            if machine.config is not None
        )

    async def until(self, holds: Callable[[], bool], *, timeout_s: float = 10.0) -> None:
        """Wait until something about the world holds."""
        async with asyncio.timeout(timeout_s):
            while not holds():  # noqa: ASYNC110 # machines have no event for every wish
                await asyncio.sleep(0.005)

    def _open(self, name: str, context: ssl.SSLContext) -> Channel:
        channel = Channel(self.machines[name].spec.loopback, PORT, ssl=context)
        self.channels.append(channel)
        return channel


class MakeWorld(Protocol):
    """Makes worlds that are switched off when the test ends."""

    def __call__(
        self, names: Sequence[str], speed: float = SPEED, *, talos_version: str = TALOS
    ) -> World:
        """Make machines by name."""
        ...


def make_insecure_context() -> ssl.SSLContext:
    """Make the context of a client that trusts anything and shows nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context


def make_world_of(
    names: Sequence[str], speed: float = SPEED, *, talos_version: str = TALOS
) -> World:
    """Make machines by name; those beginning with `cp` are meant to become control planes."""
    plane = FakePlane()
    clock = LabClock(Ledger(), speed=speed)
    return World(Machines(clock, plane, make_specs(names, talos_version)), plane, Cluster(), clock)


def make_world_on(addresses: Addresses, specs: Sequence[MachineSpec], speed: float) -> World:
    """Make machines that listen elsewhere than on loopback."""
    plane = FakePlane()
    clock = LabClock(Ledger(), speed=speed)
    placed = [replace(spec, loopback=addresses.loopback[spec.address]) for spec in specs]
    machines = Machines(clock, plane, placed, lines=Lines(clock, addresses.bind))
    return World(machines, plane, Cluster(), clock)


def make_specs(names: Sequence[str], talos_version: str = TALOS) -> list[MachineSpec]:
    """Describe machines by name, with the VIP that their cluster's endpoint names."""
    return [
        MachineSpec(
            name=name,
            role="controlplane" if name.startswith("cp") else "worker",
            address=f"10.77.0.{number}",
            loopback=f"{_NET}.{number}",
            hardware=derive_hardware(name),
            vip="10.77.0.10" if name.startswith("cp") else "",
            vip_loopback=f"{_NET}.10" if name.startswith("cp") else "",
            talos_version=talos_version,
        )
        for number, name in enumerate(names, 11)
    ]


def _pair(pair: pki.KeyPair, *, with_key: bool) -> dict[str, str]:
    encoded = {"crt": base64.b64encode(pair.crt).decode()}
    if with_key:
        encoded["key"] = base64.b64encode(pair.key).decode()
    return encoded

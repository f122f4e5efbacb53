"""All machines of the lab in one table: how they find each other without a network between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from lab.machines import pki
from lab.machines.etcd import EtcdCluster, NoEtcdProcesses
from lab.machines.machine import Changes, Machine
from lab.ports import EtcdHost, KubernetesPlane

__all__ = ["MachineTable"]


class MachineTable:
    """Looks machines up by name and address, and by the cluster that they belong to."""

    def __init__(self, plane: KubernetesPlane, etcd: EtcdHost | None = None) -> None:
        self.plane = plane
        self.etcd = etcd or NoEtcdProcesses()
        self.machines: dict[str, Machine] = {}
        self._clusters = 0
        self._changes = Changes()
        self._planes: dict[str, list[Machine]] = {}  # control planes by the name of their CA
        self._planes_of = -1  # the number of changes of which `_planes` knows
        self._addresses: dict[str, Machine] = {}

    def add(self, machine: Machine) -> None:
        """Add a machine, and hear of its changes of config."""
        self.machines[machine.name] = machine
        machine.changes = self._changes
        for name in (machine.spec.address, machine.spec.loopback, machine.name):
            self._addresses.setdefault(name, machine)

    def find(self, target: str) -> Machine | None:
        """Find a machine by declared address, loopback address, host name or name."""
        known = self._addresses.get(target)
        if known is not None:
            return known
        return next((m for m in self.machines.values() if m.hostname == target), None)

    def find_url(self, declared: str) -> str:
        """Find the URL at which a declared one is reached: talosctl dials what a kubeconfig names.

        A host that is no machine's and no VIP of one stays as it is.
        """
        parts = urlsplit(declared)
        for machine in self.machines.values():
            spec = machine.spec
            for address, loopback in ((spec.vip, spec.vip_loopback), (spec.address, spec.loopback)):
                if address and loopback and parts.hostname == address:
                    port = f":{parts.port}" if parts.port else ""
                    return parts._replace(netloc=f"{loopback}{port}").geturl()
        return declared

    def list_peers(self, machine: Machine) -> Iterator[Machine]:
        """List the machines of the same cluster, itself among them."""
        authority = machine.authority
        for other in self.machines.values():
            if authority and other.authority == authority:
                yield other

    def _list_control_planes(self, machine: Machine) -> Sequence[Machine]:
        """List the control planes of the machine's cluster.

        Kept until a config changes: a thousand machines look for them all the time.
        """
        if self._planes_of != self._changes.count:
            self._planes_of = self._changes.count
            self._planes.clear()
            for other in self.machines.values():
                if other.is_control_plane:
                    self._planes.setdefault(other.authority, []).append(other)
        return self._planes.get(machine.authority, ())

    def find_authority(self, machine: Machine) -> pki.KeyPair | None:
        """Find who signs the machine's certificate: its own config, or a peer's trustd."""
        config = machine.config
        if config is None:
            return None
        if config.ca_key:
            return pki.KeyPair(config.ca_crt, config.ca_key)
        for peer in self._list_control_planes(machine):
            key = peer.config.ca_key if peer.config else b""
            if key and peer.boot.services.is_up("trustd"):
                return pki.KeyPair(config.ca_crt, key)
        return None

    def make_etcd_cluster(self, machine: Machine) -> EtcdCluster:
        """Begin a new etcd cluster under the machine's etcd CA."""
        self._clusters += 1
        return EtcdCluster(_identify_etcd(machine), self._clusters)

    def find_etcd_cluster(self, machine: Machine) -> EtcdCluster | None:
        """Find the etcd cluster to join: of the same etcd CA, with a quorum."""
        for peer in self._list_control_planes(machine):
            data = peer.etcd
            if peer is machine or data is None or not data.member.runs:
                continue
            if data.cluster.authority == _identify_etcd(machine) and data.cluster.has_quorum:
                return data.cluster
        return None

    def has_apiserver(self, machine: Machine) -> bool:
        """Tell whether a kube-apiserver of its cluster runs where the machine reaches it."""
        peers = self._list_control_planes(machine)
        return not self.is_missed(machine) and any(peer.boot.api_is_usable for peer in peers)

    def is_missed(self, machine: Machine) -> bool:
        """Tell whether its cluster goes on, and the machine's network keeps it away."""
        return machine.is_cut_off and any(
            peer.boot.api_is_usable and peer is not machine and not peer.is_cut_off
            for peer in self._list_control_planes(machine)
        )


def _identify_etcd(machine: Machine) -> str:
    return pki.identify_authority(machine.config.etcd_ca_crt) if machine.config else ""

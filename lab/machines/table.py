"""All machines of the lab in one table: how they find each other without a network between."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from lab.machines import pki
from lab.machines.etcd import EtcdCluster
from lab.machines.machine import Machine
from lab.ports import KubernetesPlane

__all__ = ["MachineTable"]


class MachineTable:
    """Looks machines up by name and address, and by the cluster that they belong to."""

    def __init__(self, plane: KubernetesPlane) -> None:
        self.plane = plane
        self.machines: dict[str, Machine] = {}
        self._clusters = 0

    def find(self, target: str) -> Machine | None:
        """Find a machine by declared address, loopback address, host name or name."""
        for machine in self.machines.values():
            spec = machine.spec
            if target in {spec.address, spec.loopback, machine.hostname, spec.name}:
                return machine
        return None

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

    def find_authority(self, machine: Machine) -> pki.KeyPair | None:
        """Find who signs the machine's certificate: its own config, or a peer's trustd."""
        config = machine.config
        if config is None:
            return None
        if config.ca_key:
            return pki.KeyPair(config.ca_crt, config.ca_key)
        for peer in self.list_peers(machine):
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
        for peer in self.list_peers(machine):
            data = peer.etcd
            if peer is machine or data is None or not data.member.is_started:
                continue
            if data.cluster.authority == _identify_etcd(machine) and data.cluster.has_quorum:
                return data.cluster
        return None

    def has_apiserver(self, machine: Machine) -> bool:
        """Tell whether a kube-apiserver of the machine's cluster runs anywhere."""
        return any(peer.boot.apiserver_runs for peer in self.list_peers(machine))


def _identify_etcd(machine: Machine) -> str:
    return pki.identify_authority(machine.config.etcd_ca_crt) if machine.config else ""

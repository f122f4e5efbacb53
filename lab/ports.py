"""Where the lab's parts meet: machines, Kubernetes and Flux know each other by these only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lab.snapshots import StoredKey

__all__ = ["KubernetesPki", "KubernetesPlane", "NodeFacts", "StaticPod"]


@dataclass(frozen=True, slots=True)
class KubernetesPki:
    """The Kubernetes CA of a cluster, PEM, as the machine config's `cluster.ca` carries it."""

    ca_crt: bytes
    ca_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StaticPod:
    """A component of the control plane on one machine; `version` grows with its config."""

    component: str  # `kube-apiserver`
    image: str
    version: int = 1


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What Kubernetes learns of a machine when its kubelet starts."""

    name: str
    role: str  # `controlplane` or `worker`
    address: str  # declared, for example 10.41.0.11; what Node.status.addresses and CSRs carry
    loopback: str  # where the lab really listens, for example 127.41.0.11
    vip: str = ""  # declared VIP that this machine may hold, or ""
    vip_loopback: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[tuple[str, str, str], ...] = ()  # key, value, effect
    kubelet_version: str = "v1.36.3"
    os_image: str = "Talos (v1.13.9)"
    rotates_server_certificates: bool = True
    has_talos_api_access: bool = False  # machine.features.kubernetesTalosAPIAccess.enabled
    cluster_endpoint: str = ""  # https://VIP:6443
    cert_sans: tuple[str, ...] = ()
    static_pods: tuple[StaticPod, ...] = ()  # of a control plane; empty: by kubelet_version

    @property
    def apiserver_version(self) -> str:
        """Version of the machine's kube-apiserver, by the tag of its image."""
        images = [pod.image for pod in self.static_pods if pod.component == "kube-apiserver"]
        tag = images[0].partition("@")[0].rpartition(":")[2] if images else ""
        return tag or self.kubelet_version


class KubernetesPlane(Protocol):
    """The cluster's Kubernetes, as machines drive it. One object a cluster.

    A machine calls `create` once when etcd is bootstrapped, `start_apiserver` on each control
    plane whose etcd member runs, and the kubelet methods on every machine.
    """

    async def create(self, pki: KubernetesPki) -> None:
        """Begin with empty data: etcd was bootstrapped. Called again, old data is gone."""
        ...

    async def restore(self, pki: KubernetesPki, keys: Sequence[StoredKey]) -> None:
        """Begin with the data of a snapshot: etcd was recovered. Newer data is gone.

        Raises:
            ValueError: a key's value cannot be read.
        """
        ...

    def dump(self) -> Sequence[StoredKey]:
        """Read all data as etcd holds it now."""
        ...

    async def start_apiserver(self, node: NodeFacts) -> None:
        """Listen on the node's loopback:6443 (and hold the VIP when nobody does)."""
        ...

    async def stop_apiserver(self, name: str) -> None:
        """Stop listening for that node; the VIP moves to another control plane."""
        ...

    async def start_kubelet(self, node: NodeFacts) -> None:
        """Register or refresh the Node, ask for its serving certificate, run its pods."""
        ...

    async def stop_kubelet(self, name: str) -> None:
        """Stop the node's heart beat and pods: rebooting, reset or cut off."""
        ...

    def is_node_ready(self, name: str) -> bool:
        """Tell whether Kubernetes counts the node as Ready (needs the CNI)."""
        ...

"""Where the lab's parts meet: machines, Kubernetes and Flux know each other by these only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lab.snapshots import StoredKey

__all__ = [
    "EtcdHost",
    "EtcdHostError",
    "EtcdSeat",
    "EtcdState",
    "KubernetesPki",
    "KubernetesPlane",
    "NodeFacts",
    "NodeKeeper",
    "NodeKeeperError",
    "PodOnNode",
    "StaticPod",
    "TalosManifests",
]


@dataclass(frozen=True, slots=True)
class KubernetesPki:
    """What a cluster's control plane is made of, as the machine config's `cluster` carries it.

    Certificates and keys are PEM: the Kubernetes CA, that of etcd, and the key that signs tokens
    of service accounts; `secretbox` is the secret, base64, that Secrets are encrypted with at rest.
    The last four are for real API servers only.
    """

    ca_crt: bytes
    ca_key: bytes = field(repr=False)
    etcd_ca_crt: bytes = b""
    etcd_ca_key: bytes = field(default=b"", repr=False)
    service_account_key: bytes = field(default=b"", repr=False)
    secretbox: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class StaticPod:
    """A component of the control plane on one machine; `version` grows with its config."""

    component: str  # `kube-apiserver`
    image: str
    version: int = 1


@dataclass(frozen=True, slots=True)
class TalosManifests:
    """What decides which manifests Talos has a new cluster contain; defaults without a network.

    An image that is "" is not wanted.
    """

    inline: tuple[tuple[str, str], ...] = ()  # name and YAML of each of `cluster.inlineManifests`
    urls: tuple[str, ...] = ()  # `cluster.extraManifests`
    cloud_urls: tuple[str, ...] = ()  # `cluster.externalCloudProvider.manifests`
    network_urls: tuple[str, ...] = ()  # `cluster.network.cni.urls`
    dns_image: str = "registry.k8s.io/coredns/coredns:v1.14.6"
    dns_domain: str = "cluster.local"
    flannel_image: str = ""
    flannel_arguments: tuple[str, ...] = ()
    pod_subnet: str = "10.244.0.0/16"
    proxy_image: str = ""
    proxy_arguments: tuple[str, ...] = ()
    server: str = "https://127.0.0.1:7445"  # where kube-proxy finds the API: KubePrism
    bootstrap_token: str = field(default="", repr=False)  # `cluster.token`; "" makes none
    has_talos_api: bool = False  # machine.features.kubernetesTalosAPIAccess.enabled


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
    has_external_cloud: bool = False  # kubelet runs with --cloud-provider=external
    cluster_endpoint: str = ""  # https://VIP:6443
    cert_sans: tuple[str, ...] = ()
    admission_control: str = ""  # cluster.apiServer.admissionControl, JSON; for real API servers
    storage: Mapping[str, int] = field(default_factory=dict)  # path of a file system: bytes
    has_known_disks: bool = False  # else `storage` is a guess
    static_pods: tuple[StaticPod, ...] = ()  # of a control plane; empty: by kubelet_version
    manifests: TalosManifests = TalosManifests()  # of a control plane; frozen

    @property
    def apiserver_version(self) -> str:
        """Version of the machine's kube-apiserver, by the tag of its image."""
        images = [pod.image for pod in self.static_pods if pod.component == "kube-apiserver"]
        tag = images[0].partition("@")[0].rpartition(":")[2] if images else ""
        return tag or self.kubelet_version


@dataclass(frozen=True, slots=True)
class PodOnNode:
    """A pod that runs on a node."""

    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class NodeKeeper(Protocol):
    """What Talos itself does to its Node, and to the pods there.

    Raises:
        NodeKeeperError: the Kubernetes API refused, or did not answer; the text is its own.
    """

    def is_cordoned(self, name: str) -> bool:
        """Tell whether the node takes no pods, as last heard."""
        ...

    async def cordon(self, name: str) -> None:
        """Cordon a node, and mark it as cordoned by Talos unless somebody else was first."""
        ...

    async def uncordon(self, name: str) -> bool:
        """Uncordon a node that Talos cordoned; tell whether there is such a node at all."""
        ...

    async def list_evictable(self, name: str) -> Sequence[PodOnNode]:
        """List the pods on a node that a drain by Talos evicts."""
        ...

    async def evict(self, pod: PodOnNode) -> bool:
        """Evict a pod; False when its disruption budget forbids it now."""
        ...

    async def has_pod(self, pod: PodOnNode) -> bool:
        """Tell whether a pod is still there."""
        ...


class NodeKeeperError(Exception):
    """The Kubernetes API refused what Talos asked for its node, or did not answer."""


class KubernetesPlane(Protocol):
    """The cluster's Kubernetes, as machines drive it. One object a cluster.

    A machine calls `create` once when etcd is bootstrapped, `start_apiserver` on each control
    plane whose etcd member runs, and the kubelet methods on every machine.
    """

    @property
    def keeper(self) -> NodeKeeper:
        """What cordons and drains nodes."""
        ...

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

    async def set_etcd(self, name: str, *, answers: bool) -> None:
        """Say whether etcd answers that node's API server, which goes on listening without."""
        ...

    async def offer_vip(self, name: str, *, can_hold: bool) -> None:
        """Say whether etcd hears a control plane: one that it does not hear loses the VIP."""
        ...

    async def start_kubelet(self, node: NodeFacts) -> None:
        """Register or refresh the Node, ask for its serving certificate, run its pods."""
        ...

    async def stop_kubelet(self, name: str, *, is_lost: bool = False) -> None:
        """Stop the node's heart beat and pods: rebooting or reset; `is_lost`: cut off.

        The pods of a node that was only lost go on when it is heard of again.
        """
        ...

    def is_node_ready(self, name: str) -> bool:
        """Tell whether Kubernetes counts the node as Ready (needs the CNI)."""
        ...

    def list_applied_manifests(self, name: str) -> Sequence[str]:
        """List ids of a control plane's manifests, once all of their objects were created."""
        ...


@dataclass(frozen=True, slots=True)
class EtcdSeat:
    """Where one member of etcd runs, and the CA that members and clients prove themselves with."""

    name: str  # host name of the machine, which is the member's name
    loopback: str
    ca_crt: bytes  # PEM
    ca_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class EtcdState:
    """What a member says of itself and its cluster."""

    version: str
    db_size: int  # bytes
    db_size_in_use: int
    leader: int  # member id; 0 for none
    raft_index: int
    raft_term: int


class EtcdHost(Protocol):
    """What runs behind the members that machines keep: real processes, or nothing.

    Whoever runs nothing answers with 0 and None: the caller then has its own.

    Raises:
        EtcdHostError: what was asked cannot be done; the text is etcd's.
    """

    async def form(self, seat: EtcdSeat, snapshot: bytes | None) -> int:
        """Begin a cluster of one member, with a snapshot's data if given; returns its id."""
        ...

    async def join(self, seat: EtcdSeat, peer: str) -> int:
        """Add a learner by the member named `peer`, and start it; returns its id."""
        ...

    async def start(self, seat: EtcdSeat) -> None:
        """Start a member again with the data that it has."""
        ...

    async def promote(self, name: str, member: int) -> None:
        """Make a learner a voter, by the member named `name`, once it has caught up."""
        ...

    async def remove(self, name: str, member: int) -> None:
        """Take a member off the list, by the member named `name`."""
        ...

    async def forfeit(self, name: str, heir: int) -> None:
        """Have the member `heir` lead instead of the one named `name`, which leads."""
        ...

    async def stop(self, name: str) -> None:
        """End a member's process; its data stays."""
        ...

    async def wipe(self, name: str) -> None:
        """End a member's process and delete its data."""
        ...

    def hear(self, name: str, *, is_heard: bool) -> None:
        """Let the others hear a member, or not, from now on; its next processes as well."""
        ...

    async def take_snapshot(self, name: str) -> bytes | None:
        """Read a member's database, with its checksum behind it."""
        ...

    async def describe(self, name: str) -> EtcdState | None:
        """Ask a member for its state."""
        ...


class EtcdHostError(Exception):
    """A member could not be started or asked; the text is etcd's."""

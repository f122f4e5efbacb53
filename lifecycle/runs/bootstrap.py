"""Bootstrap: from machines in maintenance mode to the last Flux layer. Read this file first.

Each function returns the steps and gates of one part of the run, in order. What a step does and
why it is safe to run twice stands in the step's own file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from inventory import Release
from lifecycle.engine import Node, Plan, make_plan
from lifecycle.gates.apiserver import ApiServersAreReady
from lifecycle.gates.charts import ChartsAreThere
from lifecycle.gates.clocks import ClocksAgree
from lifecycle.gates.dns import DnsAnswers
from lifecycle.gates.entries import EntriesAreReady
from lifecycle.gates.etcd import EtcdIsHealthy
from lifecycle.gates.git_remote import CommitIsPushed
from lifecycle.gates.health import ClusterIsHealthy
from lifecycle.gates.installer_images import InstallerImagesExist
from lifecycle.gates.layer import LayerIsReady
from lifecycle.gates.lease import LeaseIsHeld
from lifecycle.gates.machine import MachineIsKnown
from lifecycle.gates.manifests import ManifestsBuild
from lifecycle.gates.nodes_ready import NodesAreReady
from lifecycle.gates.nodes_registered import NodesAreRegistered
from lifecycle.gates.promises import LayerKeepsPromises
from lifecycle.gates.repository import RepositoryIsSound
from lifecycle.gates.secrets import SecretsDecrypt
from lifecycle.gates.sources import SourcesAreReady
from lifecycle.gates.tools import ToolsAreThere
from lifecycle.gates.vip import VipIsFree
from lifecycle.steps.age_secret import PlaceAgeSecret
from lifecycle.steps.apply_config import ApplyMachineConfig
from lifecycle.steps.approve_certificate import ApproveServingCertificate
from lifecycle.steps.bootstrap_etcd import BootstrapEtcd
from lifecycle.steps.cluster_variables import PlaceClusterVariables
from lifecycle.steps.cni import InstallCni
from lifecycle.steps.crds import ApplyCrds
from lifecycle.steps.deploy_key import PlaceDeployKey
from lifecycle.steps.fetch_commit import FetchCommit
from lifecycle.steps.hand_over import HandOver
from lifecycle.steps.install_flux import InstallFlux
from lifecycle.steps.kubeconfig import FetchKubeconfig
from lifecycle.steps.layer import ApplyLayer
from lifecycle.steps.machine_configs import GenerateMachineConfigs
from lifecycle.steps.namespaces import CreateNamespaces
from lifecycle.steps.release_held import ReleaseHeld
from lifecycle.steps.sources import ApplySources
from lifecycle.world import World
from lifecycle.world.layers import find_held, find_skipped, scope_layers

__all__ = ["plan_bootstrap"]

# Machines install side by side; five pull an installer image without starving a home line.
_MACHINES_AT_ONCE = 5
# Megabytes of definitions: two charts keep an API server busy.
_CHARTS_AT_ONCE = 2

# Charts that are a CNI. Nothing in a chart says so, and Flux cannot run before it does.
_CNI_CHARTS = frozenset({"cilium", "tigera-operator", "calico", "flannel", "kube-ovn", "antrea"})


async def plan_bootstrap(world: World) -> Plan:
    """Make the plan of a bootstrap; nothing is changed, and no machine is asked yet.

    Raises:
        PlanError: the cluster has no talconfig.yaml, or no control plane.
    """
    parts: dict[str, list[Node]] = {}
    parts["preflight"] = check_before_any_change(world)
    parts["machines"] = install_machines(world, names_of(parts["preflight"]))
    parts["kubernetes"] = start_kubernetes(world, names_of(parts["machines"]))
    charts_with_crds = await find_charts_with_crds(world)
    parts["cluster"] = [
        ManifestsBuild(
            world,
            tuple(charts_with_crds),
            tuple(find_cni(world)),
            after=names_of(parts["preflight"]),
        ),
        *prepare_cluster(world, charts_with_crds),
    ]
    parts["flux"] = install_flux(world, names_of(parts["cluster"]))
    parts["layers"] = bring_up_layers(world, ("sources-are-ready",))
    parts["handover"] = hand_over(world, (parts["layers"] or parts["flux"])[-1].name)
    nodes = [node for part in parts.values() for node in part]
    groups = {node.name: part for part, members in parts.items() for node in members}
    lanes = {"machines": _MACHINES_AT_ONCE, "crds": _CHARTS_AT_ONCE}
    return make_plan("bootstrap", world.cluster, nodes, lanes=lanes, groups=groups)


def check_before_any_change(world: World) -> list[Node]:
    """Everything that can be found out without changing anything, all at once."""
    known = ("secrets-decrypt",)  # addresses are among the variables, which may be encrypted
    able = ("tools-are-there", *known)
    generate = GenerateMachineConfigs(world, after=able)
    machines = [MachineIsKnown(world, node, after=able) for node in world.talos.nodes]
    return [
        ToolsAreThere(world),
        RepositoryIsSound(world),
        SecretsDecrypt(world),
        CommitIsPushed(world),
        ChartsAreThere(world),
        VipIsFree(world, after=known),
        generate,
        InstallerImagesExist(world, after=able),
        *machines,
        ClocksAgree(world, after=able),
    ]


def install_machines(world: World, after: tuple[str, ...]) -> list[Node]:
    """Each machine installs and boots; they do not wait for each other."""
    return [ApplyMachineConfig(world, node, after=after) for node in world.talos.nodes]


def start_kubernetes(world: World, after: tuple[str, ...]) -> list[Node]:
    """Etcd once, then the API servers and their Lease, then every kubelet's certificate."""
    control_planes = {f"apply-machine-config/{n.hostname}" for n in world.talos.control_planes}
    ready = tuple(name for name in after if name in control_planes)
    api = ApiServersAreReady(world, after=("fetch-kubeconfig",))
    lease = LeaseIsHeld(world, after=(api.name,))
    approvals = [
        ApproveServingCertificate(
            world, node, after=(lease.name, f"apply-machine-config/{node.hostname}")
        )
        for node in world.talos.nodes
    ]
    return [
        BootstrapEtcd(world, after=ready),
        EtcdIsHealthy(world, after=("bootstrap-etcd",)),
        FetchKubeconfig(world, after=("bootstrap-etcd",)),
        api,
        lease,
        NodesAreRegistered(world, after=(api.name, *after)),
        *approvals,
    ]


def prepare_cluster(world: World, charts_with_crds: Sequence[Release]) -> list[Node]:
    """Put into the API what Flux cannot bring itself, and the CNI, without which nothing runs.

    The CNI comes first, and finds the API server idle: nodes are of no use before it is there.
    """
    built = ("lease-is-held", "manifests-build")
    releases = find_cni(world)
    own = [
        ApplyCrds(world, release, after=built)
        for release in charts_with_crds
        if release in releases
    ]
    cni = [InstallCni(world, release, after=(*built, *names_of(own))) for release in releases]
    begun = (*built, *names_of(cni))
    crds = [
        ApplyCrds(world, release, after=begun)
        for release in charts_with_crds
        if release not in releases
    ]
    namespaces = CreateNamespaces(world, after=begun)
    placed: list[Node] = [
        PlaceAgeSecret(world, after=(namespaces.name,)),
        PlaceDeployKey(world, after=(namespaces.name,)),
        PlaceClusterVariables(world, after=(namespaces.name,)),
    ]
    nodes = NodesAreReady(world, after=("nodes-are-registered", *names_of(cni)))
    return [*own, *cni, *crds, namespaces, *placed, nodes, DnsAnswers(world, after=(nodes.name,))]


def install_flux(world: World, after: tuple[str, ...]) -> list[Node]:
    """The controllers and the sources, at this very commit."""
    return [
        InstallFlux(world, after=after),
        ApplySources(world, after=("install-flux",)),
        FetchCommit(world, after=("apply-sources",)),
        SourcesAreReady(world, after=("fetch-commit",)),
    ]


def bring_up_layers(world: World, after: tuple[str, ...]) -> list[Node]:
    """Layer by layer; the next one only when this one is ready and keeps its promises."""
    nodes: list[Node] = []
    inventory = world.inventory
    skipped = find_skipped(inventory, world.options.accepted)
    scopes = scope_layers(inventory, skipped | find_held(inventory))
    for scope in scopes:
        apply = ApplyLayer(world, scope.layer, after=after)
        is_last = scope is scopes[-1]
        ready = LayerIsReady(world, scope, deferrable=not is_last, after=(apply.name,))
        promises = LayerKeepsPromises(world, scope, deferrable=not is_last, after=(ready.name,))
        nodes += [apply, ready, promises]
        after = (promises.name,)
    return nodes


def hand_over(world: World, after: str) -> list[Node]:
    """Flux takes over, what was held is released, and everything is looked at once more."""
    kubernetes = (
        "etcd-is-healthy",
        *(f"approve-serving-certificate/{n.hostname}" for n in world.talos.nodes),
    )
    skipped = find_skipped(world.inventory, world.options.accepted)
    return [
        HandOver(world, after=(after, *kubernetes)),
        EntriesAreReady(world, after=("hand-over",)),
        ReleaseHeld(world, after=("entries-are-ready",)),
        ClusterIsHealthy(world, skipped, after=("release-held",)),
    ]


async def find_charts_with_crds(world: World) -> list[Release]:
    """Find the live releases whose charts mention CRDs; only rendering tells which come out."""
    return [
        release
        for release in world.inventory.releases
        if not world.options.accepts(release) and await world.charts.may_bring_crds(release)
    ]


def find_cni(world: World) -> list[Release]:
    """Find the repository's own CNI, unless Talos installs one."""
    if world.talos.cni_name in {"flannel", "custom"}:
        return []
    return [release for release in world.inventory.releases if release.chart in _CNI_CHARTS]


def names_of(nodes: Iterable[Node]) -> tuple[str, ...]:
    """Return the names of steps and gates."""
    return tuple(node.name for node in nodes)

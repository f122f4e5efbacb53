"""Faults of talconfig.yaml and of versions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from inventory.addresses import parse_pool
from inventory.catalogue import find_provider
from lab.charts.crds import Crd, make_crd
from lab.charts.known_crds import TUPPR, UPGRADE
from lab.faults.repository.tree import Change, DoesNotApplyError, Tree
from lab.faults.repository.values import RepositoryFault, answered_by
from lab.kubernetes.values import Object, maps, name_of, text

__all__ = ["MACHINE_FAULTS"]

_TALOS = "https://github.com/siderolabs/talos/issues/"


def _of_talos(change: Change) -> Callable[[Tree], None]:
    def damage(tree: Tree) -> None:
        tree.change_talos(change)

    return damage


def _set_vip(address: str) -> Change:
    def change(document: Object) -> None:
        for node in maps(document, "nodes"):
            for interface in maps(node, "networkInterfaces"):
                if isinstance(interface.get("vip"), dict):
                    interface["vip"] = {"ip": address}

    return change


def _need_vip(tree: Tree) -> None:
    if not tree.talos.vip:
        raise DoesNotApplyError("no node declares a shared address")


def _give_vip_to_node(tree: Tree) -> None:
    _need_vip(tree)
    first = next((node for node in tree.talos.control_planes if node.address), None)
    if first is None:
        raise DoesNotApplyError("the address of its control planes is not known")
    tree.change_talos(_set_vip(first.address))


def _find_pool_address(tree: Tree) -> str:
    pool = parse_pool(tree.inventory.variables.get("METALLB_RANGE"))
    if not pool:
        raise DoesNotApplyError("its clusterenv.yaml has no METALLB_RANGE that can be read")
    return str(pool[0][0])


def _give_vip_to_pool(tree: Tree) -> None:
    _need_vip(tree)
    tree.change_talos(_set_vip(_find_pool_address(tree)))


def _give_node_to_pool(tree: Tree) -> None:
    address = _find_pool_address(tree)

    def change(document: Object) -> None:
        maps(document, "nodes")[-1]["ipAddress"] = address

    tree.change_talos(change)


def _repeat_address(tree: Tree) -> None:
    if len(tree.talos.nodes) < 2:  # noqa: PLR2004 (it takes two)
        raise DoesNotApplyError("it has one node only")

    def change(document: Object) -> None:
        first, *_, last = maps(document, "nodes")
        last["ipAddress"] = first["ipAddress"]

    tree.change_talos(change)


def _overlap(document: Object) -> None:
    document["clusterPodNets"] = ["10.244.0.0/16"]
    document["clusterSvcNets"] = ["10.244.128.0/20"]


def _make_even(tree: Tree) -> None:
    planes = [node.hostname for node in tree.talos.control_planes]
    workers = [node.hostname for node in tree.talos.workers]
    if len(planes) % 2 == 0:
        raise DoesNotApplyError("it has an even number of control planes already")
    if len(planes) == 1 and not workers:
        raise DoesNotApplyError("it has one node only")

    def change(document: Object) -> None:
        for node in maps(document, "nodes"):
            if text(node, "hostname") == (workers or planes)[-1]:
                node["controlPlane"] = bool(workers)

    tree.change_talos(change)


def _forget_disk(document: Object) -> None:
    node = maps(document, "nodes")[-1]
    node.pop("installDisk", None)
    node.pop("installDiskSelector", None)


def _misspell_variable(document: Object) -> None:
    maps(document, "nodes")[-1]["ipAddress"] = "${LAB_MISTYPED_IP}"


def _pair_unsupported(document: Object) -> None:
    document["kubernetesVersion"] = "v1.24.17"


def _plan_upgrade(tree: Tree, kind: str, version: str) -> None:
    spec: Object = {kind.removesuffix("Upgrade").lower(): {"version": version}}
    upgrade: Object = {
        "apiVersion": "tuppr.home-operations.com/v1alpha1",
        "kind": kind,
        "metadata": {"name": "lab-upgrade", "namespace": "flux-system"},
        "spec": spec,
    }
    tree.add_object(tree.pick_component(), "lab-upgrade", upgrade)
    _define(tree, TUPPR, kind)


def _define(tree: Tree, known: Sequence[Crd], kind: str) -> None:
    """Define a kind that nothing in the repository defines: its absence is another fault."""
    crd = next(one for one in known if one.kind == kind)
    definition = make_crd(crd)
    provider = find_provider(crd.group)
    charts = {release.chart for release in tree.inventory.releases}
    objects = {item.name for _, item in tree.inventory.objects()}
    if not ({*(provider.names if provider else ())} & charts or name_of(definition) in objects):
        tree.add_object(tree.pick_component(), f"lab-define-{kind.lower()}", definition)


def _raise_minor(version: str, by: int) -> str:
    numbers = version.removeprefix("v").split(".")
    if len(numbers) < 2 or not numbers[1].isdigit():  # noqa: PLR2004 (major and minor)
        raise DoesNotApplyError(f"its version is none: `{version}`")
    return f"v{numbers[0]}.{int(numbers[1]) + by}.0"


def _skip_minors(tree: Tree) -> None:
    _plan_upgrade(tree, "KubernetesUpgrade", _raise_minor(tree.talos.kubernetes_version, 3))


def _drift(tree: Tree) -> None:
    _plan_upgrade(tree, "TalosUpgrade", _raise_minor(tree.talos.talos_version, 1))


def _upgrade_twice(tree: Tree) -> None:
    _plan_upgrade(tree, "TalosUpgrade", tree.talos.talos_version)
    plan: Object = {
        "apiVersion": "upgrade.cattle.io/v1",
        "kind": "Plan",
        "metadata": {"name": "talos", "namespace": "flux-system"},
        "spec": {
            "version": tree.talos.talos_version,
            "upgrade": {"image": "ghcr.io/siderolabs/talosctl", "args": ["upgrade"]},
        },
    }
    tree.add_object(tree.pick_component(), "lab-plan", plan)
    _define(tree, UPGRADE, "Plan")


MACHINE_FAULTS = (
    RepositoryFault(
        "vip-of-node",
        "The shared address of the control planes is one node's own.",
        f"{_TALOS}4604",
        _give_vip_to_node,
        answered_by("vip-is-node"),
    ),
    RepositoryFault(
        "vip-of-pool",
        "The shared address lies among those that MetalLB hands out.",
        "https://metallb.universe.tf/concepts/#address-allocation",
        _give_vip_to_pool,
        answered_by("vip-in-pool"),
    ),
    RepositoryFault(
        "node-of-pool",
        "A node's address lies among those that MetalLB hands out.",
        "https://metallb.universe.tf/concepts/#address-allocation",
        _give_node_to_pool,
        answered_by("node-in-pool"),
    ),
    RepositoryFault(
        "address-of-two-nodes",
        "Two nodes have the same address, as after copying a node's lines.",
        f"{_TALOS}12096",
        _repeat_address,
        answered_by("duplicate-node"),
    ),
    RepositoryFault(
        "networks-overlapping",
        "The network of services lies in that of pods.",
        "https://kubernetes.io/docs/concepts/cluster-administration/networking/#kubernetes-ip-address-ranges",
        _of_talos(_overlap),
        answered_by("networks-overlap"),
    ),
    RepositoryFault(
        "control-planes-even",
        "An even number of control planes: losing one costs the VIP as well.",
        f"{_TALOS}9276",
        _make_even,
        answered_by("even-control-planes"),
    ),
    RepositoryFault(
        "disk-unnamed",
        "A node says nothing of the disk to install to.",
        f"{_TALOS}12370",
        _of_talos(_forget_disk),
        answered_by("no-install-disk"),
    ),
    RepositoryFault(
        "node-variable-undefined",
        "talconfig.yaml uses a variable that clusterenv.yaml has not.",
        "https://budimanjojo.github.io/talhelper/latest/guides/",
        _of_talos(_misspell_variable),
        answered_by("undefined-talos-variable"),
    ),
    RepositoryFault(
        "versions-unsupported",
        "Talos does not support the version of Kubernetes beside it.",
        "https://github.com/home-operations/tuppr/issues/544",
        _of_talos(_pair_unsupported),
        answered_by("unsupported-versions"),
    ),
    RepositoryFault(
        "upgrade-too-far",
        "An upgrade goes over several minor versions at once.",
        "https://github.com/home-operations/tuppr/issues/66",
        _skip_minors,
        answered_by("unsupported-hop"),
    ),
    RepositoryFault(
        "versions-drifted",
        "An upgrade plan names another version of Talos than talconfig.yaml.",
        "https://github.com/aBMania/homelab",
        _drift,
        answered_by("version-drift"),
    ),
    RepositoryFault(
        "two-upgrade-controllers",
        "Two controllers are told to upgrade the same nodes.",
        "https://github.com/billimek/k8s-gitops/pull/5001",
        _upgrade_twice,
        answered_by("two-upgraders"),
    ),
)

"""Faults of load-balancer addresses and of images."""

from __future__ import annotations

from inventory.addresses import parse_pool
from lab.faults.repository.tree import DoesNotApplyError, Tree
from lab.faults.repository.values import RepositoryFault, answered_by
from lab.kubernetes.values import Object

__all__ = ["SERVICE_FAULTS"]

_METALLB = "https://metallb.universe.tf/usage/"
_ANNOTATION = "metallb.io/loadBalancerIPs"
_OUTSIDE = "203.0.113.9"  # of a network that is for documentation only (RFC 5737)


def _make_service(name: str, field: str, annotation: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": "default",
            "annotations": {_ANNOTATION: annotation},
        },
        "spec": {
            "type": "LoadBalancer",
            "loadBalancerIP": field,
            "selector": {"app": name},
            "ports": [{"port": 80}],
        },
    }


def _read_pool(tree: Tree) -> tuple[str, str]:
    pool = parse_pool(tree.inventory.variables.get("METALLB_RANGE"))
    if not pool:
        raise DoesNotApplyError("its clusterenv.yaml has no METALLB_RANGE that can be read")
    first, last = pool[0]
    return str(first), str(last)


def _give_twice(tree: Tree) -> None:
    _, last = _read_pool(tree)
    component = tree.pick_component()
    for name in ("lab-front", "lab-back"):
        tree.add_object(component, name, _make_service(name, last, last))


def _give_outside(tree: Tree) -> None:
    _read_pool(tree)
    component = tree.pick_component()
    tree.add_object(component, "lab-front", _make_service("lab-front", _OUTSIDE, _OUTSIDE))


def _give_two(tree: Tree) -> None:
    first, last = _read_pool(tree)
    if first == last:
        raise DoesNotApplyError("its METALLB_RANGE has one address only")
    component = tree.pick_component()
    tree.add_object(component, "lab-front", _make_service("lab-front", first, last))


def _use_dead_registry(tree: Tree) -> None:
    container: Object = {"name": "app", "image": "tccr.io/truecharts/alpine:v3.20.0"}
    labels: Object = {"app": "lab-old-image"}
    workload: Object = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "lab-old-image", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {**labels}},
            "template": {"metadata": {"labels": {**labels}}, "spec": {"containers": [container]}},
        },
    }
    tree.add_object(tree.pick_component(), "lab-old-image", workload)


SERVICE_FAULTS = (
    RepositoryFault(
        "load-balancer-twice",
        "Two services ask for the same address.",
        f"{_METALLB}#ip-address-sharing",
        _give_twice,
        answered_by("address-given-twice"),
    ),
    RepositoryFault(
        "load-balancer-outside",
        "A service asks for an address that MetalLB does not hand out.",
        f"{_METALLB}#requesting-specific-ips",
        _give_outside,
        answered_by("address-outside-pool"),
    ),
    RepositoryFault(
        "load-balancer-differs",
        "A service asks for one address in its field and for another in its annotation.",
        f"{_METALLB}#requesting-specific-ips",
        _give_two,
        answered_by("address-differs"),
    ),
    RepositoryFault(
        "registry-dead",
        "An image comes from a registry that was given up.",
        "https://github.com/trueforge-org/truecharts/pull/38868",
        _use_dead_registry,
        answered_by("dead-registry"),
    ),
)

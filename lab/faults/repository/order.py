"""Faults of order: dependencies, sources, CRDs and whoever brings them."""

from __future__ import annotations

import yaml

from inventory import Component, EdgeKind
from inventory.catalogue import find_provider
from lab.faults.repository.tree import DoesNotApplyError, Tree
from lab.faults.repository.values import RepositoryFault, answered_by
from lab.kubernetes.values import Object, grow

__all__ = ["ORDER_FAULTS"]

_FLUX = "https://fluxcd.io/flux/components/"
_FLUX2 = "https://github.com/fluxcd/flux2/issues/"

# A kind of each API group that charts bring, with the least that says what it is.
_KINDS: tuple[tuple[str, str], ...] = (
    ("cert-manager.io/v1", "ClusterIssuer"),
    ("longhorn.io/v1beta2", "RecurringJob"),
    ("metallb.io/v1beta1", "IPAddressPool"),
    ("snapshot.storage.k8s.io/v1", "VolumeSnapshotClass"),
    ("traefik.io/v1alpha1", "Middleware"),
    ("monitoring.coreos.com/v1", "PrometheusRule"),
    ("postgresql.cnpg.io/v1", "Cluster"),
)


def _find_provided(tree: Tree, *, but: str = "") -> tuple[Component, Object]:
    """Find a component whose release brings a well-known kind, and an object of that kind."""
    releases = {
        name: component
        for component in tree.list_components()
        if component.name != but
        for release in component.releases
        for name in (release.chart, release.name)
    }
    for version, kind in _KINDS:
        provider = find_provider(version.partition("/")[0])
        for name in provider.names if provider else ():
            if name in releases:
                metadata: Object = {"name": "lab-early", "namespace": releases[name].namespace}
                return releases[name], {"apiVersion": version, "kind": kind, "metadata": metadata}
    raise DoesNotApplyError("no release brings CRDs of a well-known chart")


def _put_beside_release(tree: Tree) -> None:
    component, added = _find_provided(tree)
    tree.add_object(component, "lab-early", added)
    second: Object = {**added, "metadata": {"name": "lab-early-too", "namespace": "flux-system"}}
    tree.add_object(component, "lab-early-too", second)


def _put_into_entry(tree: Tree) -> None:
    _, added = _find_provided(tree)
    for entry in tree.inventory.entries:
        if entry.path.startswith(f"clusters/{tree.inventory.cluster}") and not entry.build_failed:
            tree.write(f"{entry.path}/lab-early.yaml", yaml.safe_dump(added, sort_keys=False))
            tree.list_resource(entry.path, "lab-early.yaml")
            return
    raise DoesNotApplyError("no entry lies in the cluster's folder")


def _put_without_order(tree: Tree) -> None:
    user = tree.pick_component()
    _, added = _find_provided(tree, but=user.name)
    tree.add_object(user, "lab-early", added)

    def forget(document: Object) -> None:
        grow(document, "spec").pop("dependsOn", None)

    tree.change_component(user, forget)


def _take_provider_away(tree: Tree) -> None:
    user = tree.pick_component()
    provider, added = _find_provided(tree, but=user.name)
    tree.add_object(user, "lab-early", added)
    tree.unlist(provider.position.path)


def _depend_on(tree: Tree, component: Component, name: str) -> None:
    def add(document: Object) -> None:
        spec = grow(document, "spec")
        listed = spec.get("dependsOn")
        spec["dependsOn"] = [*(listed if isinstance(listed, list) else ()), {"name": name}]

    tree.change_component(component, add)


def _depend_on_nobody(tree: Tree) -> None:
    component = tree.pick_component()
    _depend_on(tree, component, f"{component.name}-mistyped")


def _depend_on_each_other(tree: Tree) -> None:
    first, second = tree.pick_two()
    if first.namespace != second.namespace:
        raise DoesNotApplyError("its components lie in different namespaces")
    _depend_on(tree, first, second.name)
    _depend_on(tree, second, first.name)


def _depend_on_consumer(tree: Tree) -> None:
    """Let whoever brings CRDs wait for whoever needs them."""
    user = tree.pick_component()
    provider, added = _find_provided(tree, but=user.name)
    needs = {(edge.consumer, edge.provider): edge.kind for edge in tree.inventory.edges}
    if needs.get((user.name, provider.name)) is EdgeKind.DEPENDS_ON:
        raise DoesNotApplyError(f"`{user.name}` waits for `{provider.name}` already")
    tree.add_object(user, "lab-early", added)
    _depend_on(tree, provider, user.name)


def _unlist_component(tree: Tree) -> None:
    needed = {name for component in tree.inventory.components for _, name in component.depends_on}
    for component in tree.list_components():
        if component.name not in needed:
            tree.unlist(component.position.path)
            return
    raise DoesNotApplyError("every component is needed by another")


def _unlist_layer(tree: Tree) -> None:
    for layer in sorted(tree.inventory.layers, key=lambda one: -one.rank):
        if layer.components:
            tree.unlist(layer.path)
            return
    raise DoesNotApplyError("it has no layers")


def _suspend(tree: Tree) -> None:
    def suspend(document: Object) -> None:
        grow(document, "spec")["suspend"] = True

    tree.change_component(tree.pick_component(), suspend)


ORDER_FAULTS = (
    RepositoryFault(
        "crs-beside-release",
        "Two custom resources lie in the Kustomization whose release brings their CRD.",
        "https://github.com/fluxcd/kustomize-controller/issues/601",
        _put_beside_release,
        answered_by("crd-beside-release"),
    ),
    RepositoryFault(
        "cr-in-entry",
        "A custom resource in the entry's own build blocks the whole cluster.",
        f"{_FLUX2}2436",
        _put_into_entry,
        answered_by("crd-in-entry"),
    ),
    RepositoryFault(
        "cr-without-order",
        "A component uses a kind without waiting for whoever brings it.",
        f"{_FLUX2}562",
        _put_without_order,
        answered_by("crd-order-not-declared"),
    ),
    RepositoryFault(
        "provider-not-listed",
        "What brings a CRD is taken out of its layer while its kinds are still used.",
        f"{_FLUX2}523",
        _take_provider_away,
        answered_by("provider-not-live"),
    ),
    RepositoryFault(
        "dependency-mistyped",
        "A dependsOn names a component that does not exist.",
        f"{_FLUX}kustomize/kustomizations/#dependencies",
        _depend_on_nobody,
        answered_by("missing-dependency"),
    ),
    RepositoryFault(
        "dependency-loop",
        "Two components wait for each other.",
        f"{_FLUX}kustomize/kustomizations/#dependencies",
        _depend_on_each_other,
        answered_by("dependency-cycle"),
    ),
    RepositoryFault(
        "cold-start-loop",
        "Whoever brings a CRD waits for a component that needs it.",
        f"{_FLUX2}1966",
        _depend_on_consumer,
        answered_by("cold-start-cycle"),
    ),
    RepositoryFault(
        "component-not-listed",
        "A component lies on disk, but no kustomization lists it.",
        "https://github.com/aBMania/homelab",
        _unlist_component,
        answered_by("dead-object"),
    ),
    RepositoryFault(
        "layer-not-listed",
        "A whole layer is left out of the entry's kustomization.",
        "https://github.com/aBMania/homelab",
        _unlist_layer,
        answered_by("layer-not-listed"),
    ),
    RepositoryFault(
        "component-suspended",
        "A component was suspended for a while, and forgotten.",
        f"{_FLUX}kustomize/kustomizations/#suspend",
        _suspend,
        answered_by("suspended"),
    ),
)

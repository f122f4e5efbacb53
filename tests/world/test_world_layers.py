"""Which components a layer waits for, what depends on them, and what is held until the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from inventory import Component, Inventory, Layer, read_repository
from inventory.model import Edge, EdgeKind, ObjectRef, Position
from lab.repository import find_sample
from lifecycle.world.layers import find_dependents, find_upgraders, scope_layers
from tests.world.world_values import component


@pytest.fixture(scope="module")
def sample() -> Inventory:
    """The shipped sample, read in clear."""
    return read_repository(find_sample(), "main", {})


def arrange(
    sample: Inventory, layers: Mapping[str, tuple[str, ...]], *components: Component
) -> Inventory:
    """An inventory with these layers, in this order, and these components."""
    made = tuple(
        Layer(name, f"clusters/main/kubernetes/{name}", rank, names, ())
        for rank, (name, names) in enumerate(layers.items())
    )
    edges = tuple(
        Edge(component.name, provider, EdgeKind.DEPENDS_ON, "declared", component.position)
        for component in components
        for _, provider in component.depends_on
    )
    return replace(sample, layers=made, components=components, edges=edges)


def scopes_of(inventory: Inventory, *skipped: str) -> dict[str, list[str]]:
    """The names that each layer waits for."""
    scopes = scope_layers(inventory, frozenset(skipped))
    return {scope.layer.name: [c.name for c in scope.awaited] for scope in scopes}


def test_each_layer_waits_for_its_own(sample: Inventory) -> None:
    """The sample's layers come in order, and each waits for all of its components."""
    scopes = scopes_of(sample)

    assert ["flux-system", "kube-system", "system", "core", "networking", "apps"] == list(scopes)
    assert {c.name for c in sample.components} == {n for names in scopes.values() for n in names}
    assert ["notes"] == scopes["apps"]


def test_component_that_waits_for_a_later_layer_is_awaited_there(sample: Inventory) -> None:
    """A layer's gate does not stand still for what the next layer brings."""
    layers = {"core": ("early", "plain"), "apps": ("late",)}
    components = (component("early", "late"), component("plain"), component("late"))

    scopes = scopes_of(arrange(sample, layers, *components))

    assert ["plain"] == scopes["core"]
    assert {"late", "early"} == set(scopes["apps"])


def test_nobody_waits_for_what_is_skipped_or_suspended(sample: Inventory) -> None:
    """Accepted, held and suspended components are applied and left alone."""
    layers = {"apps": ("good", "broken", "resting")}
    components = (
        component("good"),
        component("broken"),
        replace(component("resting"), suspend=True),
    )

    assert {"apps": ["good"]} == scopes_of(arrange(sample, layers, *components), "broken")


def test_component_of_no_layer_is_awaited_last(sample: Inventory) -> None:
    """What another component applies is in no layer; the last gate asks for it."""
    inventory = arrange(
        sample, {"core": ("a",), "apps": ("b",)}, *map(component, ("a", "b", "inner"))
    )

    assert {"core": ["a"], "apps": ["b", "inner"]} == scopes_of(inventory)


def test_dependents_are_found_through_each_other() -> None:
    """What needs something broken is broken, and what needs that; a circle ends the search."""
    components = (
        component("leaf", "middle"),
        component("middle", "root", "leaf"),
        component("root"),
        component("other"),
    )

    found = find_dependents(components, frozenset({"root"}))

    assert {"root", "middle", "leaf"} == found
    assert frozenset({"absent"}) == find_dependents(components, frozenset({"absent"}))


@pytest.mark.parametrize(
    ("api_version", "kind", "is_held"),
    [
        ("upgrade.cattle.io/v1", "Plan", True),
        ("tuppr.home-operations.com/v1alpha1", "TalosUpgrade", True),
        ("tuppr.home-operations.com/v1alpha1", "KubernetesUpgrade", True),
        ("other.example/v1", "Plan", False),
        ("helm.toolkit.fluxcd.io/v2", "HelmRelease", False),
    ],
)
def test_what_changes_nodes_is_held(
    sample: Inventory, api_version: str, kind: str, *, is_held: bool
) -> None:
    """Components with an upgrade controller's orders are held, the controller itself is not."""
    item = ObjectRef(api_version, kind, "system-upgrade", "it", Position("a.yaml"))
    holder = replace(component("upgrade"), objects=(item,))
    inventory = arrange(sample, {"system": ("upgrade",)}, holder)

    assert is_held is (find_upgraders(inventory) == (holder,))

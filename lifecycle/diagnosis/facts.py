"""What the repository says that an explanation needs: places, owners, who brings which kind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from inventory import Component, Inventory, Release, crd_key
from inventory.catalogue import Origin, find_provider
from lifecycle.diagnosis.values import Key
from lifecycle.errors import LifecycleError
from lifecycle.world import World

__all__ = ["Facts", "gather_facts", "make_facts"]

_CRD = "CustomResourceDefinition"


@dataclass(frozen=True, slots=True)
class Facts:
    """The repository as an explanation looks at it; empty ones make explanations less exact.

    Attributes:
        places: `path:line:column` of what Git declares.
        owners: Name of the component (or entry) that applies an object.
        components: Kustomization of a component, by the component's name.
        accepted: Components and releases that the user accepted as broken.
        providers: Release or Kustomization that brings a kind, by `group/Kind`.
        addresses: Declared address of a node, by its name.
        idle: Sources that nothing uses, which nobody waits for.
    """

    places: Mapping[Key, str] = field(default_factory=dict)
    owners: Mapping[Key, str] = field(default_factory=dict)
    components: Mapping[str, Key] = field(default_factory=dict)
    accepted: frozenset[str] = frozenset()
    providers: Mapping[str, Key] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    idle: frozenset[Key] = frozenset()

    def kustomization_of(self, key: Key) -> Key | None:
        """Return the Kustomization that applies an object, None when Git does not say."""
        return self.components.get(self.owners.get(key, ""))

    def find_accepted(self, provider: Key) -> str:
        """Return the name by which a provider was accepted as broken; empty when it was not."""
        names = (provider.name, self.owners.get(provider, ""))
        return next((name for name in names if name in self.accepted), "")


async def gather_facts(world: World) -> Facts:
    """Read the inventory, and which CRDs the charts bring as far as this run has read them."""
    inventory = world.inventory
    brought = dict(
        await asyncio.gather(*(_list_kinds(world, release) for release in inventory.releases))
    )
    return make_facts(inventory, accepted=world.options.accepted, brought=brought)


def make_facts(
    inventory: Inventory, *, accepted: frozenset[str], brought: Mapping[Key, Iterable[str]]
) -> Facts:
    """Turn an inventory into facts; `brought` has `group/Kind` of CRDs by release."""
    places: dict[Key, str] = {}
    owners: dict[Key, str] = {}
    for owner, item in inventory.objects():
        key = Key(item.kind, item.namespace, item.name)
        places.setdefault(key, str(item.position))
        owners.setdefault(key, owner)
    for source in inventory.sources:
        places[Key(source.kind, source.namespace, source.name)] = str(source.position)
    for release in inventory.releases:
        places[_key_of_release(release)] = str(release.position)
        owners[_key_of_release(release)] = release.component
    components = {
        entry.name: Key("Kustomization", entry.namespace, entry.name) for entry in inventory.entries
    }
    for component in inventory.components:
        components[component.name] = _key_of_component(component)
        places[_key_of_component(component)] = str(component.position)
    nodes = inventory.talos.nodes if inventory.talos else ()
    for node in nodes:
        places[Key("Node", "", node.hostname)] = str(node.position)
    return Facts(
        places=places,
        owners=owners,
        components=components,
        accepted=accepted,
        providers=_find_providers(inventory, components, brought),
        addresses={node.hostname: node.address for node in nodes},
        idle=_find_idle(inventory),
    )


def _find_idle(inventory: Inventory) -> frozenset[Key]:
    used = {release.source for release in inventory.releases}
    used |= {component.source for component in inventory.components}
    used |= {entry.source for entry in inventory.entries}
    sources = (source for source in inventory.sources if source.key not in used)
    return frozenset(Key(source.kind, source.namespace, source.name) for source in sources)


def _find_providers(
    inventory: Inventory, components: Mapping[str, Key], brought: Mapping[Key, Iterable[str]]
) -> Mapping[str, Key]:
    """Say who brings each kind: charts and manifests first, then the list of well-known ones."""
    found: dict[str, Key] = {}
    for owner, item in inventory.objects():
        if item.kind == _CRD and owner in components:
            found[crd_key(item.raw)] = components[owner]
    found |= {kind: release for release, kinds in brought.items() for kind in kinds}
    for _, item in inventory.objects():
        if item.group_kind not in found and (known := _find_well_known(inventory, item.group)):
            found[item.group_kind] = known
    return found


def _find_well_known(inventory: Inventory, group: str) -> Key | None:
    entry = find_provider(group)
    if entry is None or entry.origin in {Origin.TALOS, Origin.FLUX}:
        return None
    for name in entry.names:
        for release in inventory.releases:
            if name in {release.chart, release.name}:
                return _key_of_release(release)
    return None


async def _list_kinds(world: World, release: Release) -> tuple[Key, tuple[str, ...]]:
    key = _key_of_release(release)
    try:
        if not await world.charts.may_bring_crds(release):
            return key, ()
        kinds = await world.charts.crd_kinds_of(release)
    except LifecycleError:
        return key, ()  # a chart that cannot be read is for the preflight to name
    return key, tuple(f"{kind.group}/{kind.kind}" for kind in kinds)


def _key_of_release(release: Release) -> Key:
    return Key("HelmRelease", release.namespace, release.name)


def _key_of_component(component: Component) -> Key:
    return Key("Kustomization", component.namespace, component.name)

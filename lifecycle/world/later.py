"""What cannot be ready before a later layer has come, as the cluster itself shows it.

What the files show beforehand is a matter of `inventory.order`; here it is what only a rendered
chart brings: a LoadBalancer service before any address pool, a Certificate before cert-manager.
"""

from __future__ import annotations

from collections.abc import Iterable

from inventory import Component, Inventory
from inventory.catalogue import find_provider
from lifecycle.world.snapshot import Snapshot

__all__ = ["find_left_for_later"]


def find_left_for_later(
    inventory: Inventory, components: Iterable[Component], snapshot: Snapshot
) -> tuple[str, ...]:
    """Name the components that cannot be ready yet, and those that depend on them."""
    asked = tuple(components)
    left = {c.name: c for c in asked if _waits_for_later(inventory, c, snapshot)}
    grew = bool(left)
    while grew:
        names = {(c.namespace, c.name) for c in left.values()}
        releases = {(r.namespace, r.name) for c in left.values() for r in c.releases}
        more = {
            c.name: c
            for c in asked
            if c.name not in left
            and (
                names.intersection(c.depends_on)
                or any(releases.intersection(r.depends_on) for r in c.releases)
            )
        }
        grew = bool(more)
        left |= more
    return tuple(c.name for c in asked if c.name in left)


def _waits_for_later(inventory: Inventory, component: Component, snapshot: Snapshot) -> bool:
    if not snapshot.has_address_pools and snapshot.lacks_addresses(component):
        return True
    return any(
        not _may_have_come(inventory, maker.api_version, snapshot)
        for maker in snapshot.lacks_secrets(component)
    )


def _may_have_come(inventory: Inventory, api_version: str, snapshot: Snapshot) -> bool:
    """Tell whether whoever works on a kind is not of a layer that is yet to be applied."""
    provider = find_provider(api_version.partition("/")[0])
    names = provider.names if provider else ()
    keys = [
        (release.namespace, release.name)
        for release in inventory.releases
        if release.chart in names or release.name in names
    ]
    return not keys or any(key in snapshot.releases for key in keys)

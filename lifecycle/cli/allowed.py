"""What the user allowed must exist: a mistyped name would silently allow nothing."""

from __future__ import annotations

from inventory import Inventory
from lifecycle.cli.options import check_name

__all__ = ["check_allowed"]


def check_allowed(
    inventory: Inventory, *, accepted: frozenset[str], consented_disks: frozenset[str]
) -> None:
    """Refuse names that mean nothing in this repository.

    `--accept` takes components, their releases, and ids of findings; `--consent-disk` nodes.

    Raises:
        PlanError: a name that is not known, with the nearest one that is.
    """
    components = {component.name for component in inventory.components}
    releases = {release.name for release in inventory.releases}
    findings = {finding.id for finding in inventory.findings}
    for name in sorted(accepted):
        check_name("component to accept", name, components | releases | findings)
    nodes = inventory.talos.nodes if inventory.talos else ()
    for name in sorted(consented_disks):
        check_name("node whose disk may be wiped", name, (node.hostname for node in nodes))

"""Checks: pure functions from what was read to findings.

May live here: generators that take `Facts` and yield findings of declared rules. May not: reading
of files that the tree does not know, state, output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from inventory.checks.announcements import check_announcements
from inventory.checks.backups import check_backups
from inventory.checks.clusterenv import check_clusterenv
from inventory.checks.decryption import check_decryption
from inventory.checks.endpoints import check_endpoints
from inventory.checks.expressions import check_expressions
from inventory.checks.facts import Facts
from inventory.checks.fields import check_fields
from inventory.checks.flux import check_flux
from inventory.checks.generated import check_generated
from inventory.checks.graph import GRAPH_RULES, check_graph
from inventory.checks.issuers import check_issuers
from inventory.checks.leftovers import check_leftovers
from inventory.checks.machines import check_machines
from inventory.checks.policies import check_policies
from inventory.checks.quantities import check_quantities
from inventory.checks.schedules import check_schedules
from inventory.checks.secrets import check_secrets
from inventory.checks.services import check_services
from inventory.checks.spellings import check_spellings
from inventory.checks.talos import check_talos
from inventory.checks.types import check_types
from inventory.checks.upgrades import check_upgrades
from inventory.checks.urls import check_urls
from inventory.checks.values import check_values
from inventory.checks.variables import check_variables
from inventory.checks.waits import check_waits
from inventory.model import Finding

CHECKS: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    check_flux,
    check_generated,
    check_urls,
    check_issuers,
    check_graph,
    check_waits,
    check_expressions,
    check_leftovers,
    check_variables,
    check_talos,
    check_clusterenv,
    check_machines,
    check_endpoints,
    check_secrets,
    check_decryption,
    check_upgrades,
    check_services,
    check_announcements,
    check_backups,
    check_schedules,
    check_fields,
    check_types,
    check_spellings,
    check_quantities,
    check_values,
    check_policies,
)


def check_all(facts: Facts) -> Iterator[Finding]:
    """Run every check."""
    for check in CHECKS:
        yield from check(facts)


__all__ = ["CHECKS", "GRAPH_RULES", "Facts", "check_all", "check_graph"]

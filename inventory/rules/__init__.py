"""Every kind of finding: its id, severity, what it means and how it is repaired.

The reference page of findings is made from this table. May live here: rules. May not: checks.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from inventory.model import Finding, Position
from inventory.rules._addresses import ADDRESSES
from inventory.rules._cluster import SECRETS, TALOS, UPGRADES
from inventory.rules._examples import EXAMPLES
from inventory.rules._files import BUILDS, FILES
from inventory.rules._flux import CRDS, FLUX, NEEDS, VARIABLES
from inventory.rules._rule import Rule
from inventory.rules._types import TYPES
from inventory.rules._values import VALUES
from inventory.rules._waits import WAITS

__all__ = ["RULES", "Rule", "make_finding"]

RULES: Final[dict[str, Rule]] = {
    rule.id: replace(rule, example=EXAMPLES[rule.id])
    for rule in (
        *FILES,
        *BUILDS,
        *TYPES,
        *FLUX,
        *CRDS,
        *WAITS,
        *NEEDS,
        *ADDRESSES,
        *VALUES,
        *VARIABLES,
        *TALOS,
        *SECRETS,
        *UPGRADES,
    )
}


def make_finding(name: str, message: str, position: Position, hint: str = "") -> Finding:
    """Return a finding of a declared rule.

    Raises:
        KeyError: There is no such rule.
    """
    rule = RULES[name]
    return Finding(name, rule.severity, message, position, hint or rule.repair)

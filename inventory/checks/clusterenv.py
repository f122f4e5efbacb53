"""Checks of clusterenv.yaml as ClusterTool makes them before it generates machine configs.

Rules of ClusterTool 4 (`pkg/initfiles/clusterenv.go`): what it refuses ends a bootstrap before
the first machine is touched. Older versions ask for less.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from inventory.addresses import lies_in, parse_address, parse_network, parse_pool
from inventory.checks.facts import Facts
from inventory.model import Finding, Position
from inventory.rules import make_finding

_REQUIRED: Final = (
    "VIP",
    "MASTER1IP",
    "HEADLAMP_IP",
    "GATEWAY",
    "METALLB_RANGE",
    "PODNET",
    "SVCNET",
    "DOMAIN_0",
    "DOMAIN_0_EMAIL",
    "DOMAIN_0_CLOUDFLARE_TOKEN",
)
# What follows the first colon: a port at the end of an address is none.
_BARE_NUMBER: Final = re.compile(r"[^:]*:\s*[0-9]+(?:\.[0-9]+)?\s*$")


def check_clusterenv(facts: Facts) -> Iterator[Finding]:
    """Yield what ClusterTool would refuse; an encrypted value is not judged."""
    inventory = facts.inventory
    variables = inventory.variables
    if inventory.talos is None or not variables.path:
        return
    place = Position(variables.path, 1, 1)
    absent = [name for name in _REQUIRED if name not in variables.names]
    if absent:
        yield make_finding(
            "clusterenv-refused", f"clusterenv.yaml lacks names: `{', '.join(absent)}`", place
        )
    for name in _REQUIRED:
        if name in variables.values and not variables.values[name].strip():
            yield make_finding("clusterenv-refused", f"value is empty: `{name}`", _at(facts, name))
    yield from _judge_numbers(facts)
    yield from _judge_addresses(facts)


def _judge_numbers(facts: Facts) -> Iterator[Finding]:
    path = facts.inventory.variables.path
    for document in facts.tree.documents(path)[:1]:
        for number, line in enumerate(document.text.splitlines(), 1):
            if line.startswith("sops:"):
                break  # ClusterTool decrypts first, which leaves nothing of what follows
            if not line.strip()[:1].isdigit() and _BARE_NUMBER.match(line):
                name = line.partition(":")[0].strip()
                message = f"number is not quoted: `{name}`"
                yield make_finding("clusterenv-refused", message, Position(path, number, 1))


def _judge_addresses(facts: Facts) -> Iterator[Finding]:
    variables = facts.inventory.variables
    pool = parse_pool(variables.get("METALLB_RANGE"))
    dashboard = parse_address(variables.get("HEADLAMP_IP"))
    if pool and dashboard is not None and not lies_in(dashboard, pool):
        message = f"HEADLAMP_IP lies outside METALLB_RANGE: `{dashboard}`"
        yield make_finding("clusterenv-refused", message, _at(facts, "HEADLAMP_IP"))
    for net in ("PODNET", "SVCNET"):
        network = parse_network(variables.get(net)) if variables.get(net) else None
        if network is None:
            continue
        for name in ("VIP", "MASTER1IP", "GATEWAY"):
            address = parse_address(variables.get(name))
            if address is not None and address in network:
                message = f"{name} lies in {net}: `{address}`"
                yield make_finding("clusterenv-refused", message, _at(facts, name))
        if any(end in network for part in pool for end in part):
            message = f"METALLB_RANGE reaches into {net}: `{network}`"
            yield make_finding("clusterenv-refused", message, _at(facts, "METALLB_RANGE"))


def _at(facts: Facts, name: str) -> Position:
    return facts.locate_variable(name) or Position(facts.inventory.variables.path, 1, 1)

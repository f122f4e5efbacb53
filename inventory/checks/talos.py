"""Checks of talconfig.yaml and of the cluster's addresses."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

from inventory.addresses import Address, parse_address, parse_network
from inventory.checks.facts import Facts
from inventory.model import Finding, Node, Position, TalosConfig
from inventory.pools import RANGE, AddressPool, read_pools
from inventory.rules import make_finding


def check_talos(facts: Facts) -> Iterator[Finding]:
    """Yield what is wrong with machines and addresses."""
    talos = facts.inventory.talos
    if talos is None:
        return
    yield from _nodes(facts, talos)
    yield from _disks(facts, talos)
    yield from _patches(facts, talos)
    yield from _addresses(facts, talos)
    yield from _networks(facts, talos)


def _nodes(facts: Facts, talos: TalosConfig) -> Iterator[Finding]:
    yield from _undefined(facts, talos)
    count = len(talos.control_planes)
    if count == 0:
        place = facts.locate(talos.position, "nodes")
        yield make_finding("no-nodes", "talconfig declares no control plane", place)
    elif count % 2 == 0:
        message = f"even number of control planes: `{count}`"
        place = facts.locate(talos.position, "nodes")
        yield make_finding("even-control-planes", message, place)
    seen: dict[str, Node] = {}
    for node in talos.nodes:
        for value in (node.hostname, *node.addresses):
            other = seen.setdefault(value, node)
            if other is not node:
                message = f"two nodes have the same name or address: `{value}`"
                yield make_finding("duplicate-node", message, node.position)


def _undefined(facts: Facts, talos: TalosConfig) -> Iterator[Finding]:
    names = talos.variables_undefined
    if names and not facts.inventory.variables.path:  # one cause, however many names
        message = f"clusterenv.yaml, which talconfig needs, is not here: `{', '.join(names)}`"
        place = _mention(facts, talos, "${" + names[0])
        hint = "commit clusters/NAME/clusterenv.yaml, encrypted with SOPS"
        yield make_finding("undefined-talos-variable", message, place, hint)
        return
    for name in names:
        message = f"talconfig uses a name that is not defined: `{name}`"
        yield make_finding("undefined-talos-variable", message, _mention(facts, talos, "${" + name))


def _mention(facts: Facts, talos: TalosConfig, text: str) -> Position:
    """Return where a text first stands in talconfig."""
    document = facts.document(talos.position)
    lines = document.text.splitlines() if document is not None else []
    for number, line in enumerate(lines, 1):
        found = re.search(rf"{re.escape(text)}(?!\d)", line)  # 10.0.0.2 is not in 10.0.0.21
        if found:
            return Position(talos.path, number, found.start() + 1)
    return talos.position


def _disks(facts: Facts, talos: TalosConfig) -> Iterator[Finding]:
    for index, node in enumerate(talos.nodes):
        if not node.install_disk and not node.disk_selector:
            message = f"nothing says on which disk {node.hostname} is installed: any may be taken"
            place = facts.locate(talos.position, "nodes", index)
            yield make_finding("no-install-disk", message, place)
        if set(node.disk_selector) == {"size"}:
            size = node.disk_selector["size"]
            message = f"install disk of {node.hostname} is chosen by size alone: `{size}`"
            place = facts.locate(talos.position, "nodes", index, "installDiskSelector")
            yield make_finding("disk-by-size-only", message, place)


def _patches(facts: Facts, talos: TalosConfig) -> Iterator[Finding]:
    for path in talos.missing_patch_files:
        message = f"talconfig names a patch that Git does not hold: `{path}`"
        place = _mention(facts, talos, "/" + path.rpartition("/")[2])
        yield make_finding("generated-patches", message, place)


def _addresses(facts: Facts, talos: TalosConfig) -> Iterator[Finding]:
    vip = parse_address(talos.vip)
    pools = read_pools(facts.inventory, facts.fill).pools
    for index, node in enumerate(talos.nodes):
        place = facts.locate(talos.position, "nodes", index, "ipAddress")
        addresses = [address for text in node.addresses if (address := parse_address(text))]
        if vip in addresses:
            yield make_finding(
                "vip-is-node", f"VIP is the address of {node.hostname}: `{vip}`", place
            )
        for address in addresses:
            for pool in _holding(pools, address):
                message = f"address of {node.hostname} lies in {pool}: `{address}`"
                yield make_finding("node-in-pool", message, place)
    for pool in _holding(pools, vip):
        is_named = parse_address(facts.inventory.variables.get("VIP")) == vip
        named = facts.locate_variable("VIP") if is_named else None
        place = named or _mention(facts, talos, str(vip))
        yield make_finding("vip-in-pool", f"VIP lies in {pool}: `{vip}`", place)
    gateway = parse_address(facts.inventory.variables.get("GATEWAY"))
    for pool in _holding(pools, gateway):
        place = facts.locate_variable("GATEWAY") or talos.position
        yield make_finding("node-in-pool", f"gateway lies in {pool}: `{gateway}`", place)


def _holding(pools: Iterable[AddressPool], address: Address | None) -> Iterator[str]:
    """Yield the name of the first pool that may give an address to a service."""
    holding = (pool for pool in pools if address is not None and address in pool)
    for pool in itertools.islice(holding, 1):
        yield RANGE if pool.name == RANGE else f"pool {pool.name} of {pool.balancer.value}"


def _networks(facts: Facts, talos: TalosConfig) -> Iterator[Finding]:
    declared = [("clusterPodNets", text) for text in talos.pod_nets]
    declared += [("clusterSvcNets", text) for text in talos.service_nets]
    networks = [(key, net) for key, text in declared if (net := parse_network(text)) is not None]
    for index, (key, network) in enumerate(networks):
        place = facts.locate(talos.position, key)
        for other_key, other in networks[:index]:
            if network.version == other.version and network.overlaps(other):
                message = f"{key} and {other_key} overlap: `{network}` and `{other}`"
                yield make_finding("networks-overlap", message, place)
        for node in talos.nodes:
            for text in node.addresses:
                address = parse_address(text)
                if address is not None and address in network:
                    message = f"address of {node.hostname} lies in {key}: `{address}`"
                    yield make_finding("networks-overlap", message, place)

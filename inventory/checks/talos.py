"""Checks of talconfig.yaml and of the cluster's addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from inventory.checks.facts import Facts
from inventory.model import Finding, Node, Position, TalosConfig
from inventory.rules import make_finding

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


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
    for name in talos.variables_undefined:
        message = f"talconfig uses a name that is not defined: `{name}`"
        yield make_finding("undefined-talos-variable", message, _mention(facts, talos, "${" + name))
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


def _mention(facts: Facts, talos: TalosConfig, text: str) -> Position:
    """Return where a text first stands in talconfig."""
    document = facts.document(talos.position)
    lines = document.text.splitlines() if document is not None else []
    for number, line in enumerate(lines, 1):
        column = line.find(text)
        if column >= 0:
            return Position(talos.path, number, column + 1)
    return talos.position


def _disks(facts: Facts, talos: TalosConfig) -> Iterator[Finding]:
    for index, node in enumerate(talos.nodes):
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
    vip = _address(talos.vip)
    pool = _pool(facts.inventory.variables.get("METALLB_RANGE"))
    for index, node in enumerate(talos.nodes):
        place = facts.locate(talos.position, "nodes", index, "ipAddress")
        addresses = [address for text in node.addresses if (address := _address(text))]
        if vip in addresses:
            yield make_finding(
                "vip-is-node", f"VIP is the address of {node.hostname}: `{vip}`", place
            )
        for address in addresses:
            if _lies_in(address, pool):
                message = f"address of {node.hostname} lies in METALLB_RANGE: `{address}`"
                yield make_finding("node-in-pool", message, place)
    if vip is not None and _lies_in(vip, pool):
        place = _variable(facts, "VIP") or talos.position
        yield make_finding("vip-in-pool", f"VIP lies in METALLB_RANGE: `{vip}`", place)
    gateway = _address(facts.inventory.variables.get("GATEWAY"))
    if gateway is not None and _lies_in(gateway, pool):
        place = _variable(facts, "GATEWAY") or talos.position
        yield make_finding("node-in-pool", f"gateway lies in METALLB_RANGE: `{gateway}`", place)


def _networks(facts: Facts, talos: TalosConfig) -> Iterator[Finding]:
    networks = [("clusterPodNets", net) for text in talos.pod_nets if (net := _network(text))]
    networks += [("clusterSvcNets", net) for text in talos.service_nets if (net := _network(text))]
    for index, (key, network) in enumerate(networks):
        place = facts.locate(talos.position, key)
        for other_key, other in networks[:index]:
            if network.version == other.version and network.overlaps(other):
                message = f"{key} and {other_key} overlap: `{network}` and `{other}`"
                yield make_finding("networks-overlap", message, place)
        for node in talos.nodes:
            for text in node.addresses:
                address = _address(text)
                if address is not None and address in network:
                    message = f"address of {node.hostname} lies in {key}: `{address}`"
                    yield make_finding("networks-overlap", message, place)


def _variable(facts: Facts, name: str) -> Position | None:
    path = facts.inventory.variables.path
    for document in facts.tree.documents(path)[:1] if path else ():
        return document.locate(name)
    return None


def _address(text: str) -> _Address | None:
    try:
        return ipaddress.ip_address(text.partition("/")[0])
    except ValueError:
        return None


def _network(text: str) -> _Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _pool(text: str) -> list[tuple[_Address, _Address]]:
    """Return first and last address of each part of METALLB_RANGE (`a-b` or a network)."""
    parts: list[tuple[_Address, _Address]] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        network = _network(part.strip()) if part.strip() and not dash else None
        start, end = _address(first.strip()), _address(last.strip())
        if network is not None:
            parts.append((network[0], network[-1]))
        elif start is not None and end is not None:
            parts.append((start, end))
    return parts


def _lies_in(address: _Address, pool: list[tuple[_Address, _Address]]) -> bool:
    return any(
        first.version == address.version and int(first) <= int(address) <= int(last)
        for first, last in pool
    )

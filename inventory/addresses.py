"""IP addresses, networks and MetalLB ranges, from text that may be anything."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Pool: TypeAlias = list[tuple[Address, Address]]


def parse_address(text: str) -> Address | None:
    """Return an address, also of `address/mask`; None when the text is none."""
    try:
        return ipaddress.ip_address(text.partition("/")[0])
    except ValueError:
        return None


def parse_network(text: str) -> Network | None:
    """Return a network, host bits allowed; None when the text is none."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def parse_pool(text: str) -> Pool:
    """Return first and last address of each part of METALLB_RANGE (`a-b` or a network)."""
    parts: Pool = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        network = parse_network(part.strip()) if part.strip() and not dash else None
        start, end = parse_address(first.strip()), parse_address(last.strip())
        if network is not None:
            parts.append((network[0], network[-1]))
        elif start is not None and end is not None:
            parts.append((start, end))
    return parts


def lies_in(address: Address, pool: Iterable[tuple[Address, Address]]) -> bool:
    """Say whether an address lies in a pool."""
    return any(
        first.version == address.version and int(first) <= int(address) <= int(last)
        for first, last in pool
    )

"""Pools of load-balancer addresses: MetalLB's, Cilium's, and ClusterTool's METALLB_RANGE.

Fields as in MetalLB 0.13 to 0.15 (`metallb.io/v1beta1`) and Cilium 1.13 to 1.19
(`cilium.io/v2alpha1` and `v2`; `cidrs` until 1.15).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from inventory.addresses import Address, Pool, lies_in, parse_address, parse_network, parse_pool
from inventory.model import Inventory, JsonObject, Variables
from inventory.objects import get_flag, get_list, get_mapping, get_mappings, get_text

CILIUM_GROUP: Final = "cilium.io"
METALLB_GROUP: Final = "metallb.io"
RANGE: Final = "METALLB_RANGE"
_CHART: Final = "metallb-config"  # TrueCharts' chart of MetalLB's objects
_MIN_RESERVED: Final = 3  # a block of one or two addresses has no first and last to spare


class Balancer(Enum):
    """Who hands out addresses; the value is its name."""

    METALLB = "MetalLB"
    CILIUM = "Cilium"


@dataclass(frozen=True, slots=True)
class AddressPool:
    """Addresses that services may get.

    Attributes:
        is_known: Whether every part could be read here; a variable may be encrypted.
        selector: The labels of the services it is for; empty for all.
        is_free: Whether any service that asks for nothing may get one of them.
        is_automatic: Whether a service gets one of them without asking.
    """

    name: str
    balancer: Balancer
    ranges: Pool
    is_known: bool
    selector: JsonObject
    is_free: bool = True
    is_automatic: bool = True

    def __contains__(self, address: Address) -> bool:
        return lies_in(address, self.ranges)


@dataclass(frozen=True, slots=True)
class Pools:
    """Every pool of a cluster.

    Attributes:
        balancers: Who hands out addresses here at all, as far as manifests show it.
    """

    pools: tuple[AddressPool, ...]
    balancers: frozenset[Balancer]

    def of(self, balancers: Iterable[Balancer]) -> tuple[AddressPool, ...]:
        """Return the pools of some balancers."""
        wanted = set(balancers)
        return tuple(pool for pool in self.pools if pool.balancer in wanted)


def read_pools(inventory: Inventory, fill: Callable[[str], str]) -> Pools:
    """Return the pools of a cluster.

    Args:
        inventory: What is live.
        fill: Puts known variables into a text.
    """
    pools = list(_declared(inventory, fill))
    balancers = {pool.balancer for pool in pools}
    if any(release.chart in ("metallb", _CHART) for release in inventory.releases):
        balancers.add(Balancer.METALLB)
    is_metallb = Balancer.METALLB in balancers or not balancers
    if is_metallb and not any(pool.balancer is Balancer.METALLB for pool in pools):
        pools.extend(_range(inventory.variables))
    return Pools(tuple(pools), frozenset(balancers))


def _range(variables: Variables) -> Iterator[AddressPool]:
    ranges = parse_pool(variables.get(RANGE))
    if ranges:
        yield AddressPool(RANGE, Balancer.METALLB, ranges, is_known=True, selector={})


def _declared(inventory: Inventory, fill: Callable[[str], str]) -> Iterator[AddressPool]:
    for _, item in inventory.objects():
        if item.group == METALLB_GROUP and item.kind == "IPAddressPool":
            yield _metallb(item.name, get_mapping(item.raw, "spec"), fill)
        is_cilium = item.group == CILIUM_GROUP and item.kind == "CiliumLoadBalancerIPPool"
        if is_cilium and not get_flag(item.raw, "spec", "disabled"):
            yield _cilium(item.name, get_mapping(item.raw, "spec"), fill)
    for release in inventory.releases:
        if release.chart == _CHART:
            for pool in get_mappings(release.values, "ipAddressPools"):
                yield _metallb(get_text(pool, "name"), pool, fill)


def _metallb(name: str, spec: JsonObject, fill: Callable[[str], str]) -> AddressPool:
    ranges: Pool = []
    is_known = True
    for item in get_list(spec, "addresses"):
        found = parse_pool(fill(str(item)))
        is_known = is_known and bool(found)
        ranges.extend(found)
    is_automatic = spec.get("autoAssign") is not False
    is_free = is_automatic and "serviceAllocation" not in spec
    return AddressPool(name, Balancer.METALLB, ranges, is_known, {}, is_free, is_automatic)


def _cilium(name: str, spec: JsonObject, fill: Callable[[str], str]) -> AddressPool:
    ranges: Pool = []
    is_known = True
    spares_ends = get_text(spec, "allowFirstLastIPs").lower() == "no"
    for block in (*get_mappings(spec, "blocks"), *get_mappings(spec, "cidrs")):
        found = _block(block, fill, spares_ends=spares_ends)
        is_known = is_known and found is not None
        ranges.extend([found] if found is not None else [])
    selector = get_mapping(spec, "serviceSelector")
    return AddressPool(name, Balancer.CILIUM, ranges, is_known, selector, is_free=not selector)


def _block(
    block: JsonObject, fill: Callable[[str], str], *, spares_ends: bool
) -> tuple[Address, Address] | None:
    first = parse_address(fill(get_text(block, "start")))
    if first is not None:  # a block without an end is one address
        last = parse_address(fill(get_text(block, "stop", default=str(first))))
        return (first, last) if last is not None else None
    network = parse_network(fill(get_text(block, "cidr")))
    if network is None:
        return None
    if spares_ends and network.num_addresses >= _MIN_RESERVED:
        return network[1], network[-2]
    return network[0], network[-1]

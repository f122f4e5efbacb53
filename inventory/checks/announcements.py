"""Checks of whether the network learns of the addresses that Cilium hands out.

https://docs.cilium.io/en/stable/network/l2-announcements/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from inventory.checks.facts import Facts
from inventory.model import Finding, ObjectRef, Release
from inventory.objects import get_flag
from inventory.pools import CILIUM_GROUP, Balancer, read_pools
from inventory.rules import make_finding

_BGP: Final = ("CiliumBGPClusterConfig", "CiliumBGPPeeringPolicy", "CiliumBGPAdvertisement")


def check_announcements(facts: Facts) -> Iterator[Finding]:
    """Yield policies that do nothing, and pools whose addresses nobody announces."""
    cilium = next((r for r in facts.inventory.releases if r.chart == "cilium"), None)
    policies = _live(facts, "CiliumL2AnnouncementPolicy")
    useful = [item for item in policies if get_flag(item.raw, "spec", "loadBalancerIPs")]
    is_off = cilium is not None and not _is_on(cilium)
    if useful and is_off:
        message = f"{useful[0]} does nothing, since Cilium's values leave l2announcements off"
        yield make_finding("address-not-announced", message, useful[0].position)
    pools = read_pools(facts.inventory, facts.fill)
    others = any(_live(facts, kind) for kind in _BGP) or Balancer.METALLB in pools.balancers
    for pool in _live(facts, "CiliumLoadBalancerIPPool")[:1]:
        if not useful and not others and not get_flag(pool.raw, "spec", "disabled"):
            reason = (
                f"{policies[0]} leaves loadBalancerIPs off" if policies else "nothing announces"
            )
            message = f"addresses of {pool} stay unknown to the network: {reason}"
            yield make_finding("address-not-announced", message, pool.position)


def _live(facts: Facts, kind: str) -> list[ObjectRef]:
    return [item for _, item in facts.of_kind(kind) if item.group == CILIUM_GROUP]


def _is_on(cilium: Release) -> bool:
    """Say whether Cilium announces on the network's own level; doubt counts as yes."""
    return bool(cilium.values_from) or get_flag(cilium.values, "l2announcements", "enabled")

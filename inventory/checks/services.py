"""Checks of load-balancer addresses and images, in manifests and in releases' values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from inventory.addresses import parse_address
from inventory.balanced import MARKS, BalancedService, find_services, selects
from inventory.checks.facts import Facts
from inventory.model import Finding, Json, Severity
from inventory.objects import children
from inventory.pools import RANGE, AddressPool, Balancer, Pools, read_pools
from inventory.rules import make_finding

_DEAD_REGISTRIES: Final = ("tccr.io/",)  # TrueCharts' registry, gone since 2025


def check_services(facts: Facts) -> Iterator[Finding]:
    """Yield addresses that collide or lie outside the pools, and images nobody serves."""
    services: list[BalancedService] = []
    targets = {release.position: release.target_namespace for release in facts.inventory.releases}
    for owner, item in facts.inventory.objects():
        # Searching the file's text first spares walking nine objects of ten.
        if not facts.tree.mentions(item.position.path, *MARKS, *_DEAD_REGISTRIES):
            continue
        namespace = targets.get(item.position, "") or item.namespace
        services.extend(find_services(owner, item, namespace))
        for keys in _dead_images(item.raw, ()):
            message = f"image comes from a registry that is gone: `{_DEAD_REGISTRIES[0]}`"
            yield make_finding("dead-registry", message, facts.locate(item.position, *keys))
    pools = read_pools(facts.inventory, facts.fill)
    asking = [service for service in services if service.texts]
    for service in asking:
        yield from _spelling(facts, service, pools)
        yield from _outside(facts, service, pools)
    yield from _given_twice(facts, asking)
    yield from _taken_by_others(facts, services, pools)
    yield from _given_none(facts, services, pools)


def _spelling(facts: Facts, service: BalancedService, pools: Pools) -> Iterator[Finding]:
    """Yield what one service says of its own address."""
    known = pools.balancers
    by, here = _names(service.readers), _names(known)
    written = service.texts
    rule = message = ""
    if len({facts.fill(text) for text in written}) > 1:
        texts = " and ".join(f"`{text}`" for text in written)
        rule, message = "address-differs", f"service of {service.owner} has two addresses: {texts}"
    elif known and not service.readers & known:
        rule = "address-ignored"
        message = (
            f"address of {service.owner} is for {by}, but {here} hands out addresses here:"
            f" `{written[0]}`"
        )
    elif service.name and service.field and Balancer.METALLB in service.annotations:
        rule = "address-refused"
        message = f"MetalLB refuses {service.name}: it has both loadBalancerIP and an annotation"
    elif _is_one_sided(service, known):
        found = "loadBalancerIP" if service.field else "an annotation"
        rule = "address-one-sided"
        message = f"service of {service.owner} has its address in {found} only"
    if rule:
        yield make_finding(rule, message, facts.locate(service.position, *service.keys))


def _is_one_sided(service: BalancedService, balancers: frozenset[Balancer]) -> bool:
    """Say whether a chart is told an address in one of two ways only."""
    if service.name:  # a Service as it is: an annotation alone is how it should be
        return bool(service.field) and not service.annotations
    is_documented = balancers == {Balancer.CILIUM} and not service.field
    is_both = bool(service.field and service.annotations)
    return service.is_declared and not is_both and not is_documented


def _names(balancers: frozenset[Balancer]) -> str:
    return " and ".join(sorted(balancer.value for balancer in balancers))


def _outside(facts: Facts, service: BalancedService, pools: Pools) -> Iterator[Finding]:
    """Yield addresses that nobody who reads them has to give."""
    candidates = pools.of(service.readers)
    if not candidates or not all(pool.is_known for pool in candidates):
        return
    for text in _addresses(facts, service):
        address = parse_address(text)
        if address is None or any(
            address in pool and selects(pool.selector, service) for pool in candidates
        ):
            continue
        place = facts.locate(service.position, *service.keys)
        yield make_finding("address-outside-pool", _explain(service, text, candidates), place)


def _explain(service: BalancedService, text: str, pools: Sequence[AddressPool]) -> str:
    address = parse_address(text)
    lying = [pool.name for pool in pools if address is not None and address in pool]
    names = ", ".join(pool.name for pool in pools)
    if lying:
        where = f"in a pool for other services only, `{lying[0]}`"
        return f"address of {service.owner} lies {where}: `{text}`"
    where = RANGE if names == RANGE else f"every pool, `{names}`"
    return f"address of {service.owner} lies outside {where}: `{text}`"


def _given_twice(facts: Facts, services: list[BalancedService]) -> Iterator[Finding]:
    seen: dict[str, BalancedService] = {}
    for service in services:
        for text in _addresses(facts, service):
            other = seen.setdefault(text, service)
            if other is not service and not service.shares_with(other):
                message = f"address is given to {other.owner} and to {service.owner}: `{text}`"
                place = facts.locate(service.position, *service.keys)
                yield make_finding("address-given-twice", message, place)


def _taken_by_others(
    facts: Facts, services: Sequence[BalancedService], pools: Pools
) -> Iterator[Finding]:
    """Yield services that ask for no address where others ask for some of a pool for all."""
    asked = [
        (text, service)
        for service in services
        for text in _addresses(facts, service)
        if _is_free(text, pools.of(service.readers))
    ]
    for service in services if asked else ():
        if service.texts or service.is_assigned:
            continue
        text, other = asked[0]
        message = (
            f"service of {service.owner} asks for no address, and may get one that another asks"
            f" for: `{text}` of {other.owner}"
        )
        place = facts.locate(service.position, *service.keys)
        yield make_finding("address-not-reserved", message, place)


def _given_none(
    facts: Facts, services: Sequence[BalancedService], pools: Pools
) -> Iterator[Finding]:
    """Yield services that ask for no address where MetalLB gives none to whoever does not ask."""
    is_metallb = pools.balancers == {Balancer.METALLB}
    if not is_metallb or not pools.pools or any(pool.is_automatic for pool in pools.pools):
        return
    names = ", ".join(pool.name for pool in pools.pools)
    for service in services:
        if service.texts or service.is_assigned:
            continue
        what = service.name or f"a service of {service.owner}"
        message = f"{what} asks for no address, and gets none: no pool assigns by itself: `{names}`"
        place = facts.locate(service.position, *service.keys)
        finding = make_finding("address-not-assigned", message, place)
        # What a chart makes of its values is not known for certain.
        is_certain = service.keys == ("spec", "type")
        yield finding if is_certain else replace(finding, severity=Severity.WARNING)


def _is_free(text: str, pools: Sequence[AddressPool]) -> bool:
    """Say whether an address may be handed to whoever comes; of one unknown, whether any may."""
    address = parse_address(text)
    if address is None:
        return bool(pools) and all(pool.is_free for pool in pools)
    return any(pool.is_free and address in pool for pool in pools)


def _addresses(facts: Facts, service: BalancedService) -> tuple[str, ...]:
    """Return every address of a service; an annotation may list several."""
    parts = (part.strip() for text in service.texts for part in facts.fill(text).split(","))
    return tuple(dict.fromkeys(part for part in parts if part))


def _dead_images(value: Json, keys: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    marks = (_DEAD_REGISTRIES[0], f"docker://{_DEAD_REGISTRIES[0]}")
    if isinstance(value, str) and (value.startswith(marks[0]) or marks[1] in value):
        yield keys
    for key, item in children(value):
        if isinstance(item, (dict, list, str)):
            yield from _dead_images(item, (*keys, key))

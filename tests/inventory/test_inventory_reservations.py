"""Findings about services that ask for no address: which one they take, and whether any."""

from __future__ import annotations

import pytest

from tests.inventory.inventory_balancers import (
    BLOCK,
    IPS,
    METALLB_POOL,
    SELECTED,
    Write,
    ids,
    pool,
    read,
    release,
    service,
)

NOTE = "metallb.io/loadBalancerIPs: 10.0.0.140"
FREE = "service: {main: {type: LoadBalancer}}"


@pytest.mark.parametrize(
    ("manifests", "count"),
    [
        ((METALLB_POOL, service(NOTE), service("", "free")), 1),
        ((METALLB_POOL, service(NOTE), release("plex", f"{{{FREE}}}")), 1),
        ((METALLB_POOL, service("", "free")), 0),
        ((METALLB_POOL, service(NOTE), service("metallb.io/address-pool: x", "free")), 0),
        ((METALLB_POOL, service(NOTE), service("", "free", ", loadBalancerClass: x")), 0),
        ((METALLB_POOL.replace("]}", "], autoAssign: false}"), service(NOTE), service("", "f")), 0),
        (
            (
                METALLB_POOL,
                service(NOTE),
                release(
                    "traefik", "{service: {type: LoadBalancer, spec: {loadBalancerIP: 10.0.0.141}}}"
                ),
            ),
            0,
        ),
        (
            (
                METALLB_POOL,
                service(NOTE),
                release(
                    "pg",
                    "{template: {metadata: {annotations: {metallb.io/loadBalancerIPs: 10.0.0.142}},"
                    " spec: {type: LoadBalancer}}}",
                ),
            ),
            0,
        ),
        (
            (
                pool("{blocks: [{cidr: 10.0.1.0/24}]}"),
                service(f"{IPS}: 10.0.1.9"),
                service("", "f"),
            ),
            1,
        ),
        ((pool(SELECTED.format("matchLabels: {a: b}")), service(f"{IPS}: 10.0.1.9")), 0),
    ],
)
def test_service_that_may_take_the_address_of_another_is_found(
    write: Write, manifests: tuple[str, ...], count: int
) -> None:
    """Only where a pool serves whoever comes, and the service leaves the choice to it."""
    assert count == ids(write, *manifests).count("address-not-reserved")


RESERVED = METALLB_POOL.replace("]}", "], autoAssign: false}")


@pytest.mark.parametrize(
    ("manifests", "severities"),
    [
        ((RESERVED, service("", "f")), ["error"]),
        ((RESERVED, release("plex", f"{{{FREE}}}")), ["warning"]),
        ((RESERVED, service(NOTE)), []),
        ((RESERVED, service("metallb.io/address-pool: main", "f")), []),
        ((RESERVED, service("", "f", ", loadBalancerClass: x")), []),
        ((RESERVED, METALLB_POOL.replace("main", "more"), service("", "f")), []),
        ((RESERVED, pool(BLOCK), service("", "f")), []),
        ((METALLB_POOL, service("", "f")), []),
        ((service("", "f"),), []),
        (
            (
                release("metallb-config", "{ipAddressPools: [{name: main, autoAssign: false}]}"),
                service("", "f"),
            ),
            ["error"],
        ),
    ],
)
def test_service_that_no_pool_serves_is_found(
    write: Write, manifests: tuple[str, ...], severities: list[str]
) -> None:
    """For certain where it is a manifest; nothing where anybody might give it an address."""
    findings = read(write, *manifests)
    found = [f.severity.value for f in findings if f.id == "address-not-assigned"]

    assert severities == found

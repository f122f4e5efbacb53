"""Findings about who hands out load-balancer addresses, and who shares and announces them."""

from __future__ import annotations

import pytest

from inventory import read_repository
from tests.inventory.inventory_balancers import (
    ANNOUNCED,
    BLOCK,
    CILIUM_POOL,
    IPS,
    METALLB_POOL,
    SELECTED,
    Write,
    ids,
    pool,
    release,
    service,
)
from tests.inventory.inventory_files import base, kustomization

GATEWAY = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: g}\n"


@pytest.mark.parametrize(
    ("spec", "address", "is_outside"),
    [
        (BLOCK, "10.0.1.255", False),
        ("{blocks: [{cidr: 10.0.1.0/24}], allowFirstLastIPs: 'No'}", "10.0.1.255", True),
        ("{blocks: [{cidr: 10.0.1.4/31}], allowFirstLastIPs: 'No'}", "10.0.1.4", False),
        (BLOCK, "10.0.2.1", True),
        ("{blocks: [{start: 10.0.1.5, stop: 10.0.1.9}]}", "10.0.1.9", False),
        ("{blocks: [{start: 10.0.1.5, stop: 10.0.1.9}]}", "10.0.1.10", True),
        ("{blocks: [{start: 10.0.1.5}]}", "10.0.1.6", True),
        ("{cidrs: [{cidr: 10.0.1.0/24}]}", "10.0.1.1", False),
        (BLOCK, "'10.0.1.1,10.0.2.1'", True),
        ("{blocks: [{cidr: 10.0.1.0/24}, {cidr: '${SECRET}'}]}", "10.0.2.1", False),
        ("{blocks: [{cidr: '10.0.1.0/24'}, {cidr: 'fd00::/120'}]}", "'fd00::1'", False),
        (SELECTED.format("matchLabels: {a: b}"), "10.0.1.1", True),
        (
            SELECTED.format("matchLabels: {io.kubernetes.service.namespace: default}"),
            "10.0.1.1",
            False,
        ),
        (
            SELECTED.format("matchExpressions: [{key: a, operator: Exists}]"),
            "10.0.1.1",
            True,
        ),
    ],
)
def test_addresses_of_cilium_lie_in_its_pools(
    write: Write,
    spec: str,
    address: str,
    is_outside: bool,  # noqa: FBT001
) -> None:
    """Blocks are networks or ranges, for the services that the pool selects."""
    wanted = ["address-outside-pool"] if is_outside else []

    assert wanted == ids(write, pool(spec), service(f"{IPS}: {address}"))


def test_pools_of_metallb_count_besides_its_range(write: Write) -> None:
    """An IPAddressPool may hold more than METALLB_RANGE; an older annotation is read, too."""
    key = "metallb.universe.tf/loadBalancerIPs"
    services = [service(f"{key}: 10.0.{n}", f"s{n[0]}") for n in ("2.1", "0.140", "3.1")]

    assert ["address-outside-pool"] == ids(write, METALLB_POOL, *services)


@pytest.mark.parametrize(
    ("manifest", "found"),
    [
        (service("metallb.io/loadBalancerIPs: 10.0.1.1"), ["address-ignored"]),
        (service("io.cilium/lb-ipam-ips: 10.0.1.1"), []),
        (service(f"{IPS}: 10.0.1.1", more=", loadBalancerIP: 10.0.1.2"), ["address-differs"]),
        (release("a", f"{{s: {{type: LoadBalancer, annotations: {{{IPS}: 10.0.1.1}}}}}}"), []),
        (
            release("a", f"{{service: {{annotations: {{{IPS}: 10.0.9.1}}}}}}"),
            ["address-outside-pool"],
        ),
        (
            GATEWAY + f"spec: {{infrastructure: {{annotations: {{{IPS}: 10.0.9.1}}}}}}\n",
            ["address-outside-pool"],
        ),
        (
            GATEWAY + "spec: {addresses: [{value: 10.0.9.1}]}\n",
            ["address-outside-pool"],
        ),
    ],
)
def test_annotations_are_for_those_who_read_them(
    write: Write, manifest: str, found: list[str]
) -> None:
    """Where only Cilium hands out addresses, MetalLB's annotation says nothing."""
    assert found == ids(write, pool(BLOCK), manifest)


@pytest.mark.parametrize(
    ("first", "second", "is_twice"),
    [
        ("", "", True),
        (", lbipam.cilium.io/sharing-key: a", ", lbipam.cilium.io/sharing-key: a", False),
        (", lbipam.cilium.io/sharing-key: a", ", io.cilium/lb-ipam-sharing-key: a", False),
        (", lbipam.cilium.io/sharing-key: a", ", lbipam.cilium.io/sharing-key: b", True),
        (", lbipam.cilium.io/sharing-key: a", "", True),
    ],
)
def test_address_is_shared_by_one_key(
    write: Write,
    first: str,
    second: str,
    is_twice: bool,  # noqa: FBT001
) -> None:
    """Two services have one address only where both name the same key."""
    services = [service(f"{IPS}: 10.0.1.1{more}", more) for more in (first, second)]
    named = [text.replace("name: , ", f"name: s{n}, ") for n, text in enumerate(services)]
    wanted = ["address-given-twice"] if is_twice else []

    assert wanted == ids(write, pool(BLOCK), *named)


@pytest.mark.parametrize("across", ["", ", lbipam.cilium.io/sharing-cross-namespace: '*'"])
def test_address_is_shared_across_namespaces_on_request(write: Write, across: str) -> None:
    """Cilium shares within a namespace, unless both services ask for more."""
    note = f"{IPS}: 10.0.1.1, lbipam.cilium.io/sharing-key: a{across}"
    other = service(note).replace("namespace: default", "namespace: other")

    assert ([] if across else ["address-given-twice"]) == ids(
        write, pool(BLOCK), service(note), other
    )


def test_metallb_refuses_an_address_given_both_ways(write: Write) -> None:
    """A Service with the field and the annotation gets none; the annotation alone is right."""
    note = "metallb.io/loadBalancerIPs: 10.0.0.140"

    assert [] == ids(write, METALLB_POOL, service(note))
    assert ["address-refused"] == ids(
        write, METALLB_POOL, service(note, more=", loadBalancerIP: 10.0.0.140")
    )


CILIUM = release("cilium", "{l2announcements: {enabled: FLAG}}")
BGP = "apiVersion: cilium.io/v2\nkind: CiliumBGPClusterConfig\nmetadata: {name: b}\n"


@pytest.mark.parametrize(
    ("policy", "flag", "more", "is_told"),
    [
        ("true", "true", [], False),
        ("true", "false", [], True),
        ("false", "true", [], True),
        ("", "true", [], True),
        ("", "true", [BGP], False),
    ],
)
def test_addresses_that_nobody_announces_are_found(
    write: Write,
    policy: str,
    flag: str,
    more: list[str],
    is_told: bool,  # noqa: FBT001
) -> None:
    """A pool needs a policy for load balancers that Cilium heeds, or BGP."""
    announced = ANNOUNCED.replace("FLAG", policy) if policy else ""
    manifest = CILIUM_POOL.replace("SPEC", BLOCK) + announced
    wanted = ["address-not-announced"] if is_told else []

    assert wanted == ids(write, manifest, CILIUM.replace("FLAG", flag), *more)


INTEGRATED = "{type: LoadBalancer, loadBalancerIP: 10.0.0.140, integrations: {metallb: {MORE}}}"
ON = "enabled: true"


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        (ON, ON, []),
        (f"{ON}, sharedKey: a", f"{ON}, sharedKey: a", []),
        (f"{ON}, sharedKey: a", ON, ["address-given-twice"]),
        (ON, f"{ON}}}}}, externalTrafficPolicy: Local, x: {{y: {{", ["address-given-twice"]),
        (ON, "enabled: false", ["address-given-twice", "address-one-sided"]),
    ],
)
def test_integrations_of_truecharts_write_the_annotations(
    write: Write, first: str, second: str, found: list[str]
) -> None:
    """Their library puts the address into the annotation, and lets a namespace share it."""
    values = ", ".join(
        f"{name}: {INTEGRATED.replace('MORE', more)}"
        for name, more in (("main", first), ("other", second))
    )

    assert found == sorted(ids(write, METALLB_POOL, release("a", f"{{service: {{{values}}}}}")))


def test_vip_in_a_pool_of_cilium_is_found(write: Write) -> None:
    """A service may get the control planes' address, whoever hands out addresses."""
    files = base(
        **{
            "kustomization.yaml": kustomization("flux-entry.yaml", "pool.yaml"),
            "pool.yaml": pool(BLOCK),
        }
    )
    files["clusters/main/clusterenv.yaml"] = "VIP: 10.0.1.5\n"
    files["clusters/main/talos/talconfig.yaml"] = (
        "endpoint: https://${VIP}:6443\nnodes:\n"
        "  - {hostname: a, ipAddress: 10.0.1.6, controlPlane: true, installDisk: /dev/sda,"
        " networkInterfaces: [{vip: {ip: '${VIP}'}}]}\n"
    )
    findings = read_repository(write(files), "main").findings

    assert {"vip-in-pool", "node-in-pool"} == {f.id for f in findings if "-in-pool" in f.id}

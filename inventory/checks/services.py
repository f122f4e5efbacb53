"""Checks of load-balancer addresses and images, in manifests and in releases' values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from inventory.addresses import lies_in, parse_address, parse_pool
from inventory.checks.facts import Facts
from inventory.envsubst import expand_known
from inventory.model import Finding, Json, Position
from inventory.objects import get_mapping, get_text
from inventory.rules import make_finding

_ANNOTATIONS = (
    "metallb.io/loadBalancerIPs",
    "metallb.universe.tf/loadBalancerIPs",
    "lbipam.cilium.io/ips",
    "io.cilium/lb-ipam-ips",
)
_SHARED = ("metallb.io/allow-shared-ip", "metallb.universe.tf/allow-shared-ip")
_MARKS = ("loadBalancerIP", "LoadBalancer", "tccr.io/")
_DEAD_REGISTRIES = ("tccr.io/",)  # TrueCharts' registry, gone since 2025


@dataclass(frozen=True, slots=True)
class _Service:
    """One mapping that describes a service with an address of its own."""

    owner: str
    field: str  # loadBalancerIP as written; empty when absent
    annotation: str
    is_shared: bool
    position: Position
    keys: tuple[str | int, ...]

    @property
    def address(self) -> str:
        return self.field or self.annotation


def check_services(facts: Facts) -> Iterator[Finding]:
    """Yield addresses that collide or lie outside the pool, and images nobody serves."""
    services: list[_Service] = []
    for owner, item in facts.inventory.objects():
        # Searching the file's text first spares walking nine objects of ten.
        if not facts.tree.mentions(item.position.path, *_MARKS):
            continue
        for keys, value in _mappings(item.raw, ()):
            service = _service(owner, value, item.position, keys)
            if service is not None:
                services.append(service)
        for keys in _dead_images(item.raw, ()):
            message = f"image comes from a registry that is gone: `{_DEAD_REGISTRIES[0]}`"
            yield make_finding("dead-registry", message, facts.locate(item.position, *keys))
    yield from _one_sided(facts, services)
    yield from _addresses(facts, services)


def _one_sided(facts: Facts, services: list[_Service]) -> Iterator[Finding]:
    for service in services:
        if service.field and service.annotation and service.field != service.annotation:
            message = (
                f"service of {service.owner} has two addresses:"
                f" `{service.field}` and `{service.annotation}`"
            )
            place = facts.locate(service.position, *service.keys)
            yield make_finding("address-differs", message, place)
        elif not (service.field and service.annotation):
            found = "loadBalancerIP" if service.field else "an annotation"
            message = f"service of {service.owner} has its address in {found} only"
            place = facts.locate(service.position, *service.keys)
            yield make_finding("address-one-sided", message, place)


def _addresses(facts: Facts, services: list[_Service]) -> Iterator[Finding]:
    variables = facts.inventory.variables
    pool = parse_pool(variables.get("METALLB_RANGE"))
    values: dict[str, str] = {**variables.derived, **variables.values}
    seen: dict[str, _Service] = {}
    for service in services:
        text = expand_known(service.address, values)
        other = seen.setdefault(text, service)
        if other is not service and not (service.is_shared and other.is_shared):
            message = f"address is given to {other.owner} and to {service.owner}: `{text}`"
            place = facts.locate(service.position, *service.keys)
            yield make_finding("address-given-twice", message, place)
        address = parse_address(text)
        if address is not None and pool and not lies_in(address, pool):
            message = f"address of {service.owner} lies outside METALLB_RANGE: `{address}`"
            place = facts.locate(service.position, *service.keys)
            yield make_finding("address-outside-pool", message, place)


def _service(
    owner: str, value: Mapping[str, Json], position: Position, keys: tuple[str | int, ...]
) -> _Service | None:
    is_service = value.get("type") == "LoadBalancer" or "loadBalancerIP" in value
    spec = get_mapping(value, "spec")
    is_object = value.get("kind") == "Service" and spec.get("type") == "LoadBalancer"
    if not (is_service or is_object) or value.get("enabled") is False:
        return None
    field = get_text(spec if is_object else value, "loadBalancerIP")
    holder = get_mapping(value, "metadata") if is_object else value
    annotations = get_mapping(holder, "annotations")
    found = (get_text(annotations, key) for key in _ANNOTATIONS if key in annotations)
    annotation = next(found, "")
    if not field and not annotation:
        return None
    shared = any(key in annotations for key in _SHARED)
    return _Service(owner, field, annotation, shared, position, (*keys, *_place(value, is_object)))


def _place(value: Mapping[str, Json], is_object: bool) -> tuple[str, ...]:  # noqa: FBT001
    if is_object:
        return ("spec",)
    return ("loadBalancerIP",) if "loadBalancerIP" in value else ("annotations",)


def _mappings(
    value: Json, keys: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], Mapping[str, Json]]]:
    """Yield every mapping; those inside a Service object are not looked at again."""
    if isinstance(value, dict):
        yield keys, value
        if value.get("kind") == "Service":
            return
        for key, item in value.items():
            if isinstance(item, (dict, list)):
                yield from _mappings(item, (*keys, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, (dict, list)):
                yield from _mappings(item, (*keys, index))


def _dead_images(value: Json, keys: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, str):
        if value.startswith(_DEAD_REGISTRIES) or f"docker://{_DEAD_REGISTRIES[0]}" in value:
            yield keys
    elif isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(item, (dict, list, str)):
                yield from _dead_images(item, (*keys, key))

"""Services of a load balancer, in manifests and in releases' values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from inventory.model import Json, JsonObject, ObjectRef, Position
from inventory.objects import children, get_at, get_mapping, get_mappings, get_strings, get_text
from inventory.pools import Balancer

FIELD: Final = "loadBalancerIP"
# What a file holds that names an address at all.
MARKS: Final = (
    *(FIELD, "LoadBalancer", "lbipam.cilium.io/ips", "io.cilium/lb-ipam-ips"),
    "kind: Gateway",
)
_ANNOTATIONS: Final[Mapping[str, Balancer]] = {
    "metallb.io/loadBalancerIPs": Balancer.METALLB,
    "metallb.universe.tf/loadBalancerIPs": Balancer.METALLB,
    "lbipam.cilium.io/ips": Balancer.CILIUM,
    "io.cilium/lb-ipam-ips": Balancer.CILIUM,
}
_SHARING: Final[Mapping[str, Balancer]] = {
    "metallb.io/allow-shared-ip": Balancer.METALLB,
    "metallb.universe.tf/allow-shared-ip": Balancer.METALLB,
    "lbipam.cilium.io/sharing-key": Balancer.CILIUM,
    "io.cilium/lb-ipam-sharing-key": Balancer.CILIUM,
}
_CHOSEN_POOLS: Final = ("metallb.io/address-pool", "metallb.universe.tf/address-pool")
_ACROSS: Final = (
    "lbipam.cilium.io/sharing-cross-namespace",
    "io.cilium/lb-ipam-sharing-cross-namespace",
)
_Keys: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class BalancedService:
    """One mapping that describes a service of a load balancer; `texts` are what it asks for.

    Attributes:
        owner: Who applies it.
        name: Of the service object; empty when a chart makes it.
        namespace: Of the service; empty when not known.
        field: `loadBalancerIP` as written; empty when absent.
        annotations: Addresses as written, by who reads them.
        is_declared: Whether it says itself that it is a service, not only by an annotation.
        labels: None when not known.
        sharing: Who may share the address: the balancer and its key.
        is_assigned: Whether its address comes from somewhere else: a pool that it names, or
            another class of load balancers.
        keys: Where the address stands in the document at `position`.
    """

    owner: str
    name: str
    namespace: str
    field: str
    annotations: Mapping[Balancer, str]
    is_declared: bool
    labels: JsonObject | None
    sharing: frozenset[tuple[Balancer, str]]
    is_shared_across: bool
    position: Position
    keys: _Keys
    is_assigned: bool = False

    @property
    def texts(self) -> tuple[str, ...]:
        """Every address as written, once."""
        given = (self.field, *self.annotations.values())
        return tuple(dict.fromkeys(text for text in given if text))

    @property
    def readers(self) -> frozenset[Balancer]:
        """Who looks at the address: the field is for all, an annotation for its own."""
        return frozenset(Balancer if self.field else self.annotations)

    def shares_with(self, other: BalancedService) -> bool:
        """Say whether both may have one address."""
        common = self.sharing & other.sharing
        is_known = self.namespace and other.namespace
        is_near = not is_known or self.namespace == other.namespace
        is_across = is_near or (self.is_shared_across and other.is_shared_across)
        return any(is_across or balancer is not Balancer.CILIUM for balancer, _ in common)


def find_services(owner: str, item: ObjectRef, namespace: str) -> Iterator[BalancedService]:
    """Yield the services that an object describes; what is switched off describes none.

    Args:
        owner: Who applies the object.
        item: Any object.
        namespace: Where its services come to lie; empty when not known.
    """
    if item.kind == "Service":
        yield from _read(owner, item, namespace, ())
        return
    found = [
        (keys, one) for keys in _find(item.raw, ()) for one in _read(owner, item, namespace, keys)
    ]
    asking = [service.keys for _, service in found if service.texts]
    seen: set[tuple[str, ...]] = set()
    for keys, service in found:
        # A chart may have the address deeper down, a template of a service beside its spec.
        near = keys[:-1] if keys[-1:] == ("spec",) else keys
        if not service.texts and any(other[: len(near)] == near for other in asking):
            continue
        # A Gateway and its like repeat an annotation for what they make.
        if service.is_declared or service.texts not in seen:
            yield service
        seen.add(service.texts)
    yield from _gateway(owner, item)


def _find(value: Json, keys: _Keys) -> Iterator[_Keys]:
    """Yield where a mapping may describe a service; a Service object is not looked into."""
    if isinstance(value, dict):
        if value.get("enabled") is False:
            return
        yield keys
        if value.get("kind") == "Service":
            return
    for key, item in children(value):
        if isinstance(item, (dict, list)) and (keys or key != "metadata"):
            yield from _find(item, (*keys, key))


def _read(owner: str, item: ObjectRef, namespace: str, keys: _Keys) -> Iterator[BalancedService]:
    value = get_at(item.raw, keys)
    spec = get_mapping(value, "spec")
    is_object = get_text(value, "kind") == "Service"
    holder = get_mapping(value, "metadata") if is_object else value
    fields = spec if is_object else get_mapping(value)
    if is_object and fields.get("type") != "LoadBalancer":
        return
    notes = get_mapping(holder, "annotations")
    field = get_text(fields, FIELD)
    annotations = {
        balancer: get_text(notes, key) for key, balancer in _ANNOTATIONS.items() if key in notes
    }
    sharing = {
        (balancer, get_text(notes, key)) for key, balancer in _SHARING.items() if key in notes
    }
    for balancer, share in _integrations(fields, namespace):
        annotations.setdefault(balancer, field)
        sharing |= share
    is_declared = is_object or fields.get("type") == "LoadBalancer" or FIELD in fields
    is_asking = bool(field or any(annotations.values()))
    if not is_asking and fields.get("type") != "LoadBalancer":
        return
    place: _Keys = ("spec",) if is_object else (FIELD,) if FIELD in fields else ("annotations",)
    if not is_asking:
        place = ("spec", "type") if is_object else ("type",)
    yield BalancedService(
        owner=owner,
        name=get_text(holder, "name") if is_object else "",
        namespace=get_text(holder, "namespace", default=namespace) if is_object else namespace,
        field=field,
        annotations=annotations,
        is_declared=is_declared,
        labels=get_mapping(holder, "labels") if is_object else None,
        sharing=frozenset(sharing),
        is_shared_across=any(key in notes for key in _ACROSS),
        position=item.position,
        keys=(*keys, *place),
        is_assigned="loadBalancerClass" in fields or any(key in notes for key in _CHOSEN_POOLS),
    )


def _integrations(
    service: JsonObject, namespace: str
) -> Iterator[tuple[Balancer, set[tuple[Balancer, str]]]]:
    """Yield for whom a chart of TrueCharts writes annotations, and the keys to share by.

    Their common library puts `loadBalancerIP` into the annotation of each integration, and lets
    services of one namespace share unless they name a key of their own.
    """
    for balancer in Balancer:
        told = get_mapping(service, "integrations", balancer.name.lower())
        if told.get("enabled") is True:
            key = get_text(told, "sharedKey") or namespace
            is_local = get_text(service, "externalTrafficPolicy") == "Local"
            yield balancer, set() if is_local else {(balancer, key)}


def _gateway(owner: str, item: ObjectRef) -> Iterator[BalancedService]:
    """Yield the addresses that a Gateway asks for in its own field."""
    if item.kind != "Gateway" or item.group != "gateway.networking.k8s.io":
        return
    for index, address in enumerate(get_mappings(item.raw, "spec", "addresses")):
        if get_text(address, "type", default="IPAddress") == "IPAddress":
            yield BalancedService(
                owner=owner,
                name="",
                namespace=item.namespace,
                field=get_text(address, "value"),
                annotations={},
                is_declared=False,
                labels=None,
                sharing=frozenset(),
                is_shared_across=False,
                position=item.position,
                keys=("spec", "addresses", index, "value"),
            )


def selects(selector: JsonObject, service: BalancedService) -> bool:
    """Say whether a label selector may be for a service; doubt counts as yes."""
    if service.labels is None:
        return True
    labels = {
        **service.labels,
        "io.kubernetes.service.name": service.name,
        "io.kubernetes.service.namespace": service.namespace,
    }
    wanted = get_mapping(selector, "matchLabels")
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_fits(item, labels) for item in get_mappings(selector, "matchExpressions"))


def _fits(expression: JsonObject, labels: Mapping[str, Json]) -> bool:
    key, values = get_text(expression, "key"), get_strings(expression, "values")
    match get_text(expression, "operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return True

"""Addresses for Services of type LoadBalancer, from MetalLB's or Cilium's pools."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from lab.kubernetes.controllers.world import World
from lab.kubernetes.durations import LOAD_BALANCER_S
from lab.kubernetes.store import Change, Place
from lab.kubernetes.values import (
    Json,
    Object,
    at,
    dig,
    is_going,
    maps,
    name_of,
    namespace_of,
    number,
    text,
    texts,
    uid_of,
)

__all__ = ["LoadBalancers"]

_POOLS = "ipaddresspools.metallb.io"
_CILIUM_POOLS = "ciliumloadbalancerippools.cilium.io"
_WANTED = (
    "metallb.io/loadBalancerIPs",
    "metallb.universe.tf/loadBalancerIPs",
    "lbipam.cilium.io/ips",
    "io.cilium/lb-ipam-ips",
)
_POOL = ("metallb.io/address-pool", "metallb.universe.tf/address-pool")
_SHARED = (
    "metallb.io/allow-shared-ip",
    "metallb.universe.tf/allow-shared-ip",
    "lbipam.cilium.io/sharing-key",
)
# Pools may be large (a /16); nobody in a home needs more than the first of them.
_MOST_TRIED = 4096


class LoadBalancers:
    """Hands out addresses, to whoever asks first."""

    resources = frozenset({"services", "deployments.apps", _POOLS, _CILIUM_POOLS})

    def __init__(self, world: World) -> None:
        self._world = world

    def places(self, change: Change) -> Iterable[Place]:
        """A Service; every waiting one when pools or controllers changed."""
        if change.resource == "services" and change.type != "DELETED":
            yield change.place
            return
        if change.resource == "deployments.apps" and not _is_controller(change.object):
            return
        for service in self._world.store.all("services"):
            if _is_waiting(service):
                yield Place("services", namespace_of(service), name_of(service))

    def reconcile(self, place: Place) -> None:
        """Give one Service its address, or say why it has none."""
        service = self._world.find(place)
        if service is None or is_going(service) or not _is_waiting(service):
            return
        if not self._pools():
            return
        self._world.later(
            f"lb/{uid_of(service)}",
            LOAD_BALANCER_S,
            f"address of {place.namespace}/{place.name}",
            lambda: self._assign(place),
        )

    def _assign(self, place: Place) -> None:
        service = self._world.find(place)
        if service is None or not _is_waiting(service):
            return
        given: list[str] = []
        for address in _wanted(service) or [""]:
            found, reason = self._choose(service, address)
            if reason:
                message = f'Failed to allocate IP for "{place.namespace}/{place.name}": {reason}'
                self._world.tell(service, "AllocationFailed", message)
                return
            given.append(found)
        ingress: list[Json] = [{"ip": address, "ipMode": "VIP"} for address in given]
        self._world.set_status(place, {"loadBalancer": {"ingress": ingress}})

    def _choose(self, service: Object, wanted: str) -> tuple[str, str]:
        pools = self._pools()
        annotations = at(service, "metadata", "annotations")
        named = next((text(annotations, key) for key in _POOL if key in annotations), "")
        taken = self._find_taken(service)
        if wanted:
            if not any(_contains(ranges, wanted) for _, ranges, _ in pools):
                return "", f'["{wanted}"] is not allowed in config'
            if wanted in taken:
                return "", f"can't change sharing key, address also in use by {taken[wanted]}"
            return wanted, ""
        reserved = {
            address for other in self._world.store.all("services") for address in _wanted(other)
        }
        for name, ranges, automatic in pools:
            if name == named or (automatic and not named):
                free = (item for item in _walk(ranges) if item not in taken)
                address = next((item for item in free if item not in reserved), "")
                if address:
                    return address, ""
        return "", "no available IPs"

    def _find_taken(self, service: Object) -> dict[str, str]:
        """Addresses in use, by whom, other than with the same sharing key."""
        key = _sharing_key(service)
        taken: dict[str, str] = {}
        for other in self._world.store.all("services"):
            if uid_of(other) == uid_of(service) or (key and _sharing_key(other) == key):
                continue
            for item in maps(other, "status", "loadBalancer", "ingress"):
                taken[text(item, "ip")] = f"{namespace_of(other)}/{name_of(other)}"
        return taken

    def _pools(self) -> list[tuple[str, list[str], bool]]:
        """Name, ranges and automatic use of each pool whose controller runs."""
        found: list[tuple[str, list[str], bool]] = []
        if self._runs("metallb"):
            for pool in self._world.store.all(_POOLS):
                automatic = dig(pool, "spec", "autoAssign") is not False
                found.append((name_of(pool), texts(pool, "spec", "addresses"), automatic))
        if self._runs("cilium-operator"):
            for pool in self._world.store.all(_CILIUM_POOLS):
                ranges = [
                    text(block, "cidr") or f"{text(block, 'start')}-{text(block, 'stop')}"
                    for block in maps(pool, "spec", "blocks")
                ]
                found.append((name_of(pool), ranges, True))
        return found

    def _runs(self, part: str) -> bool:
        return any(
            _is_controller(deployment)
            and part in _identity(deployment)
            and number(deployment, "status", "readyReplicas") > 0
            for deployment in self._world.store.all("deployments.apps")
        )


def _identity(deployment: Object) -> str:
    label = text(deployment, "metadata", "labels", "app.kubernetes.io/name")
    return f"{namespace_of(deployment)}/{label}/{name_of(deployment)}"


def _is_controller(deployment: Object) -> bool:
    name = name_of(deployment)
    return name == "cilium-operator" or (
        "metallb" in _identity(deployment) and name.endswith("controller")
    )


def _is_waiting(service: Object) -> bool:
    return text(service, "spec", "type") == "LoadBalancer" and not maps(
        service, "status", "loadBalancer", "ingress"
    )


def _wanted(service: Object) -> list[str]:
    annotations = at(service, "metadata", "annotations")
    for key in _WANTED:
        if value := text(annotations, key):
            return [part.strip() for part in value.split(",") if part.strip()]
    address = text(service, "spec", "loadBalancerIP")
    return [address] if address else []


def _sharing_key(service: Object) -> str:
    annotations = at(service, "metadata", "annotations")
    return next((text(annotations, key) for key in _SHARED if key in annotations), "")


def _bounds(pool_range: str) -> tuple[int, int]:
    first, dash, last = pool_range.partition("-")
    try:
        if dash:
            return int(ipaddress.ip_address(first.strip())), int(ipaddress.ip_address(last.strip()))
        network = ipaddress.ip_network(pool_range.strip(), strict=False)
        return int(network.network_address), int(network.broadcast_address)
    except ValueError:
        return 1, 0  # an empty range: MetalLB's own webhook would have refused it


def _contains(ranges: list[str], address: str) -> bool:
    try:
        value = int(ipaddress.ip_address(address))
    except ValueError:
        return False
    return any(first <= value <= last for first, last in map(_bounds, ranges))


def _walk(ranges: list[str]) -> Iterator[str]:
    for first, last in map(_bounds, ranges):
        for value in range(first, min(last, first + _MOST_TRIED) + 1):
            yield str(ipaddress.ip_address(value))

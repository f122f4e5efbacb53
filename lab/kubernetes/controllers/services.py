"""Services: addresses inside the cluster, and which pods answer."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from lab.kubernetes.controllers.children import is_ready
from lab.kubernetes.controllers.world import World
from lab.kubernetes.store import Change, Place
from lab.kubernetes.values import (
    Json,
    Object,
    at,
    grow,
    is_going,
    labels_of,
    maps,
    name_of,
    namespace_of,
    reference_of,
    text,
    texts,
    uid_of,
)

__all__ = ["Services", "find_awaited", "has_endpoints"]

_SLICES = "endpointslices.discovery.k8s.io"
_NAME_LABEL = "kubernetes.io/service-name"
# Talos' default service subnet.
_SUBNET = ipaddress.ip_network("10.96.0.0/12")
_ASKED_HOST = re.compile(r"\bpg_isready\b[^;\n]*?\s-h\s+([\w.-]+)")
_FIRST_FREE = 100  # below are the API's and DNS' own


class Services:
    """Gives each Service its ClusterIP and keeps one EndpointSlice for its pods."""

    resources = frozenset({"services", "pods"})

    def __init__(self, world: World) -> None:
        self._world = world
        self._next = _FIRST_FREE

    def places(self, change: Change) -> Iterable[Place]:
        """A Service, or those that select a pod whose readiness changed."""
        if change.resource == "services":
            yield change.place
            return
        if change.before is not None and change.type == "MODIFIED" and _same(change):
            return
        labels = labels_of(change.object)
        for service in self._world.store.all("services", change.place.namespace):
            if _selects(service, labels):
                yield Place("services", namespace_of(service), name_of(service))

    def reconcile(self, place: Place) -> None:
        """Give one Service its address and endpoints."""
        service = self._world.find(place)
        if service is None or is_going(service):
            return
        external = text(service, "spec", "type") == "ExternalName"
        if not external and not text(service, "spec", "clusterIP"):
            self._give_address(place)
        if at(service, "spec", "selector"):
            self._keep_endpoints(place, service)

    def _give_address(self, place: Place) -> None:
        address = str(_SUBNET[self._next])
        self._next += 1
        given: Object = {"clusterIP": address, "clusterIPs": [address]}
        self._world.edit(place, lambda obj: grow(obj, "spec").update(given))

    def _keep_endpoints(self, place: Place, service: Object) -> None:
        endpoints: list[Json] = []
        for pod in self._world.store.all("pods", place.namespace):
            address = text(pod, "status", "podIP")
            if address and _selects(service, labels_of(pod)):
                endpoints.append(_describe_endpoint(pod, address))
        slice_place = Place(_SLICES, place.namespace, f"{place.name}-{uid_of(service)[:5]}")
        if self._world.find(slice_place) is None:
            self._world.plant(_make_slice(service, slice_place))
        self._world.edit(slice_place, lambda obj: obj.update({"endpoints": endpoints}))


def has_endpoints(world: World, namespace: str, name: str) -> list[Object]:
    """Find the ready pods behind a Service."""
    service = world.store.get("services", namespace, name)
    if service is None:
        return []
    return [
        pod
        for pod in world.store.all("pods", namespace)
        if _selects(service, labels_of(pod)) and is_ready(pod)
    ]


def find_awaited(world: World, pod: Object) -> str:
    """Return the init container that asks for a database which does not answer; "" for none.

    Charts have such a container loop over `pg_isready` (of TrueCharts' library: `cnpg-wait`).
    """
    for container in maps(pod, "spec", "initContainers"):
        said = " ".join((*texts(container, "command"), *texts(container, "args")))
        for host in _ASKED_HOST.findall(said):
            name, _, space = host.partition(".")
            namespace = space.partition(".")[0] or namespace_of(pod)
            if not has_endpoints(world, namespace, name):
                return text(container, "name")
    return ""


def _selects(service: Object, labels: dict[str, str]) -> bool:
    selector = at(service, "spec", "selector")
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def _same(change: Change) -> bool:
    before = change.before or {}
    return (
        is_ready(before) == is_ready(change.object)
        and text(before, "status", "podIP") == text(change.object, "status", "podIP")
        and labels_of(before) == labels_of(change.object)
    )


def _describe_endpoint(pod: Object, address: str) -> Object:
    ready = is_ready(pod)
    return {
        "addresses": [address],
        "conditions": {"ready": ready, "serving": ready, "terminating": is_going(pod)},
        "nodeName": text(pod, "spec", "nodeName"),
        "targetRef": {
            "kind": "Pod",
            "name": name_of(pod),
            "namespace": namespace_of(pod),
            "uid": uid_of(pod),
        },
    }


def _make_slice(service: Object, place: Place) -> Object:
    ports: list[Json] = [
        {"name": text(port, "name"), "port": port.get("port"), "protocol": text(port, "protocol")}
        for port in maps(service, "spec", "ports")
    ]
    owners: list[Json] = [reference_of(service)]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": place.name,
            "namespace": place.namespace,
            "labels": {_NAME_LABEL: name_of(service)},
            "ownerReferences": owners,
        },
        "addressType": "IPv4",
        "ports": ports,
        "endpoints": [],
    }

"""Classes that objects name (StorageClass and the like), and who brings them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from inventory.model import Edge, EdgeKind, Inventory, Json, Position, Release
from inventory.objects import get_mapping, get_text

# Keys under which manifests and values name a class, whatever the chart.
_KEYS: Final = {
    "storageClassName": "StorageClass",
    "storageClass": "StorageClass",
    "volumeSnapshotClassName": "VolumeSnapshotClass",
    "ingressClassName": "IngressClass",
    "cert-manager.io/cluster-issuer": "ClusterIssuer",
    "certificateIssuer": "ClusterIssuer",
}
# Charts that make classes while they run, and the beginning of the classes' names.
_MADE_BY: Final = {
    ("longhorn", "StorageClass"): "longhorn",
    ("openebs", "StorageClass"): "openebs",
    ("rook-ceph-cluster", "StorageClass"): "ceph",
    ("traefik", "IngressClass"): "traefik",
    ("cilium", "IngressClass"): "cilium",
}


def class_edges(inventory: Inventory) -> Iterator[Edge]:
    """Yield an edge where a component names a class that another component brings."""
    providers = dict(_declared(inventory))
    makers = [r for r in inventory.releases if any(r.chart == chart for chart, _ in _MADE_BY)]
    seen: set[tuple[str, str]] = set()
    for owner, item in inventory.objects():
        for kind, name in _named(item.raw):
            provider = providers.get((kind, name)) or _maker(makers, kind, name)
            if provider and provider != owner and (owner, provider) not in seen:
                seen.add((owner, provider))
                yield _edge(owner, provider, kind, name, item.position)


def _declared(inventory: Inventory) -> Iterator[tuple[tuple[str, str], str]]:
    for owner, item in inventory.objects():
        if item.kind in set(_KEYS.values()):
            yield (item.kind, item.name), owner
    for release in inventory.releases:
        for kind, name in _from_values(release):
            yield (kind, name), release.component


def _from_values(release: Release) -> Iterator[tuple[str, str]]:
    if release.chart == "ingress-nginx":
        resource = get_mapping(release.values, "controller", "ingressClassResource")
        yield "IngressClass", get_text(resource, "name", default="nginx")
    if release.chart == "clusterissuer":
        for issuer in get_mapping(release.values, "clusterIssuer").values():
            for item in issuer if isinstance(issuer, list) else ():
                if get_text(item, "name"):
                    yield "ClusterIssuer", get_text(item, "name")


def _maker(makers: Iterable[Release], kind: str, name: str) -> str:
    for release in makers:
        beginning = _MADE_BY.get((release.chart, kind))
        if beginning and name.startswith(beginning):
            return release.component
    return ""


def _named(value: Json) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            kind = _KEYS.get(key)
            if kind and isinstance(item, str) and item:
                yield kind, item
            elif isinstance(item, (dict, list)):
                yield from _named(item)
    elif isinstance(value, list):
        for item in value:
            yield from _named(item)


def _edge(owner: str, provider: str, kind: str, name: str, position: Position) -> Edge:
    reason = f"names {kind} {name}, which {provider} brings"
    return Edge(owner, provider, EdgeKind.CLASS, reason, position, (f"{kind}/{name}",))

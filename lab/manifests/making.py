"""Which manifests a machine config brings, in Talos' order."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from lab.manifests import dns, network, rights
from lab.manifests.given import make_known, read_written
from lab.manifests.values import Manifest, Object
from lab.ports import TalosManifests

__all__ = ["make_manifests"]


@lru_cache(maxsize=64)  # of the control planes of a few clusters
def make_manifests(given: TalosManifests) -> tuple[Manifest, ...]:
    """Make every manifest, sorted by id; what a URL names only as far as it is known."""
    found: dict[str, list[Object]] = {}
    for name, objects in (*_list_own(given), *_list_given(given)):
        found.setdefault(name, []).extend(objects)
    return tuple(Manifest(name, tuple(found[name])) for name in sorted(found))


def _list_own(given: TalosManifests) -> Iterator[tuple[str, list[Object]]]:
    if given.bootstrap_token:
        yield "00-kubelet-bootstrapping-token", [rights.make_token(given.bootstrap_token)]
    yield "01-csr-node-bootstrap", [rights.NODE_BOOTSTRAP]
    yield "01-csr-approver-role-binding", [rights.APPROVE_BOOTSTRAP]
    yield "01-csr-renewal-role-binding", [rights.APPROVE_RENEWAL]
    yield "11-kube-config-in-cluster", [rights.make_kubeconfig(given.server)]
    yield "11-talos-node-rbac-template", list(rights.TALOS_NODES)
    if given.dns_image:
        yield "11-core-dns", dns.make_server(given.dns_image, given.dns_domain)
        yield "11-core-dns-svc", [dns.make_service()]
    if given.flannel_image:
        yield "05-flannel", network.make_flannel(given)
    if given.proxy_image:
        yield "10-kube-proxy", network.make_proxy(given)
    if given.has_talos_api:
        yield "13-talos-service-account-crd", [rights.make_account_kind()]


def _list_given(given: TalosManifests) -> Iterator[tuple[str, list[Object]]]:
    for priority, urls in (
        ("05", given.network_urls),
        ("30", given.cloud_urls),
        ("99", given.urls),
    ):
        for url in urls:
            yield f"{priority}-{url}", make_known(url)
    for name, contents in given.inline:
        yield f"99-{name}", read_written(contents)

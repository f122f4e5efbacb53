"""Services, pools and releases that hand out addresses, for the inventory's tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from inventory import Finding, read_repository
from tests.inventory.inventory_files import base, kustomization

Write = Callable[[Mapping[str, str]], Path]

CILIUM_POOL = """\
apiVersion: cilium.io/v2
kind: CiliumLoadBalancerIPPool
metadata: {name: pool}
spec: SPEC
"""
ANNOUNCED = """\
---
apiVersion: cilium.io/v2alpha1
kind: CiliumL2AnnouncementPolicy
metadata: {name: policy}
spec: {loadBalancerIPs: FLAG}
"""
IPS = "lbipam.cilium.io/ips"
SELECTED = "{{blocks: [{{cidr: 10.0.1.0/24}}], serviceSelector: {{{}}}}}"
BLOCK = "{blocks: [{cidr: 10.0.1.0/24}]}"
METALLB_POOL = """\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: main, namespace: metallb}
spec: {addresses: [10.0.2.0/28, "${METALLB_RANGE}"]}
"""


def pool(spec: str) -> str:
    """Write a pool of Cilium's, and that its addresses are announced."""
    return CILIUM_POOL.replace("SPEC", spec) + ANNOUNCED.replace("FLAG", "true")


def service(annotations: str, name: str = "s", more: str = "") -> str:
    """Write a Service of a load balancer."""
    return (
        "apiVersion: v1\nkind: Service\n"
        f"metadata: {{name: {name}, namespace: default, annotations: {{{annotations}}}}}\n"
        f"spec: {{type: LoadBalancer, ports: [{{port: 80}}]{more}}}\n"
    )


def ids(write: Write, *manifests: str) -> list[str]:
    """Return the findings about addresses of a cluster that holds these manifests."""
    found = [finding.id for finding in read(write, *manifests)]
    return [name for name in found if name.startswith("address-")]


def read(write: Write, *manifests: str) -> tuple[Finding, ...]:
    """Return the findings of a cluster that holds these manifests."""
    names = [f"m{number}.yaml" for number in range(len(manifests))]
    files = base(
        **{
            "kustomization.yaml": kustomization("flux-entry.yaml", "source.yaml", *names),
            **dict(zip(names, manifests, strict=True)),
        }
    )
    files["clusters/main/clusterenv.yaml"] = "METALLB_RANGE: 10.0.0.130-10.0.0.250\n"
    return read_repository(write(files), "main").findings


def release(chart: str, values: str) -> str:
    """Write a HelmRelease."""
    return (
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n"
        f"metadata: {{name: {chart}, namespace: default}}\nspec:\n"
        f"  chart: {{spec: {{chart: {chart}, version: 1.0.0}}}}\n  values: {values}\n"
    )

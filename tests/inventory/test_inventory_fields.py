"""Findings about fields that an object's kind does not have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from inventory import read_repository
from tests.inventory.inventory_files import SOURCE, base, config_map, ks, kustomization

Write = Callable[[Mapping[str, str]], Path]

RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: a, namespace: default}
spec:
  interval: 5m
  chart: {spec: {chart: a, version: 1.0.0, sourceRef: {kind: HelmRepository, name: b}}}
  install: {crds: Skip, remediation: {retries: 3}}
  dependsOn: [{name: b}]
  values: {anything: {goes: here}}
"""
OTHER = SOURCE.replace("name: cluster", "name: other")
DASHBOARD = (
    "apiVersion: grafana.integreatly.org/v1beta1\nkind: GrafanaDashboard\n"
    "metadata: {name: a, namespace: b}\nspec: {}\n"
)
NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n"
FLUX = """\
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {name: flux-manifests, namespace: flux-system}
spec: {url: "oci://ghcr.io/fluxcd/flux-manifests", ref: {tag: TAG}}
"""


def found(write: Write, manifest: str) -> list[tuple[str, str]]:
    """Return place and repair of the findings about fields of a cluster with one manifest."""
    files = base(
        **{
            "kustomization.yaml": kustomization("flux-entry.yaml", "source.yaml", "m.yaml"),
            "m.yaml": manifest,
        }
    )
    findings = read_repository(write(files), "main").findings
    return [
        (f"{f.position.line}:{f.position.column}", f.hint)
        for f in findings
        if f.id == "unknown-field"
    ]


@pytest.mark.parametrize(
    ("manifest", "place", "hint"),
    [
        (f"{RELEASE}persistence: {{}}\n", "10:14", "indent it, so that it lies below spec.values"),
        (f"{RELEASE}  configmap: {{}}\n", "10:14", "indent it, so that it lies below spec.values"),
        (RELEASE.replace("crds: Skip", "crd: Skip"), "7:18", "write crds"),
        (RELEASE.replace("[{name: b}]", "[{nmae: b}]"), "8:22", "write name"),
        (f"{NAMESPACE}annotations: {{a: b}}\n", "4:14", "correct the spelling or the indentation"),
        (NAMESPACE.replace("name: a", "name: a, lables: {a: b}"), "3:29", "write labels"),
        (
            config_map("a").replace("data", "dta").replace("metadta", "metadata"),
            "4:6",
            "write data",
        ),
        (f"{DASHBOARD}folder: a\n", "5:9", "correct the spelling or the indentation"),
        (ks("x", "./none", "other", "  substituteFrom: []\n"), "7:19", None),
        (OTHER.replace("{url", "{branch: main, url"), "4:16", None),
    ],
)
def test_field_that_the_server_refuses_is_found(
    write: Write, manifest: str, place: str, hint: str | None
) -> None:
    """Mistyped or wrongly indented, it ends the dry run; the repair says where it belongs."""
    [(line, repair)] = found(write, manifest)

    assert place == line
    assert hint in (None, repair)


@pytest.mark.parametrize(
    "manifest",
    [
        RELEASE,
        RELEASE.replace("/v2", "/v2beta1").replace("crds: Skip", "skipCRDs: true, old: 1"),
        f"{NAMESPACE}spec: {{finalizers: []}}\n",
        config_map("a") + "sops: {mac: x}\n",
        "apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: a}\nanything: {}\n",
        "apiVersion: longhorn.io/v1beta2\nkind: Setting\nmetadata: {name: a}\nvalue: b\n",
        "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: a}\nspecs: []\n",
        "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: a}\nprovisioner: x\n",
        RELEASE.replace("interval:", "newest: 1\n  interval:") + FLUX.replace("TAG", "v2.10.0"),
    ],
)
def test_field_that_may_be_is_no_finding(write: Write, manifest: str) -> None:
    """Other kinds, older versions and a newer Flux may have other fields."""
    assert [] == found(write, manifest)

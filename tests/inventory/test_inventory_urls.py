"""Findings about URLs of sources and names of certificate issuers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from inventory import read_repository
from tests.inventory.inventory_files import base, kustomization

Write = Callable[[Mapping[str, str]], Path]

SOURCE = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: {}
metadata: {{name: x, namespace: flux-system}}
spec: {}
"""
ISSUERS = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: clusterissuer, namespace: default}
spec:
  chart: {spec: {chart: clusterissuer, version: 1.0.0}}
  values: {clusterIssuer: {ACME: [{name: prod}, {name: "${STAGING}"}], CA: [{name: own}]}}
"""
ISSUER = "apiVersion: cert-manager.io/v1\nkind: ClusterIssuer\nmetadata: {name: live}\n"
APP = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: app, namespace: default}
spec:
  chart: {spec: {chart: app, version: 1.0.0}}
  values: {ingress: {main: {integrations: {certManager: VALUE}}}}
"""
INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: a, namespace: b, annotations: {cert-manager.io/cluster-issuer: NAME}}
"""
CERTIFICATE = """\
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: a, namespace: b}
spec: {issuerRef: {kind: KIND, name: other}}
"""


def found(write: Write, *manifests: str) -> list[str]:
    """Return id and place of the findings about URLs and issuers of a cluster."""
    names = [f"m{number}.yaml" for number in range(len(manifests))]
    files = base(
        **{
            "kustomization.yaml": kustomization("flux-entry.yaml", "source.yaml", *names),
            **dict(zip(names, manifests, strict=True)),
        }
    )
    files["clusters/main/clusterenv.yaml"] = "STAGING: staging\nURL: oci://a/b\n"
    findings = read_repository(write(files), "main").findings
    wanted = {"source-url-refused", "missing-issuer"}
    return [f"{f.id} {f.position.line}:{f.position.column}" for f in findings if f.id in wanted]


@pytest.mark.parametrize(
    ("kind", "spec", "is_refused"),
    [
        ("HelmRepository", "{url: 'oci://a/b'}", True),
        ("HelmRepository", "{url: '${URL}'}", True),
        ("HelmRepository", "{url: 'oci://a/b', type: oci}", False),
        ("HelmRepository", "{url: 'https://a/b', type: oci}", True),
        ("HelmRepository", "{url: 'https://a/b'}", False),
        ("HelmRepository", "{url: '${SECRET}'}", False),
        ("OCIRepository", "{url: 'https://a/b'}", True),
        ("OCIRepository", "{url: 'oci://a/b'}", False),
        ("GitRepository", "{url: 'git@a.example:b.git'}", True),
        ("GitRepository", "{url: 'ssh://git@a.example/b.git'}", False),
    ],
)
def test_url_that_flux_refuses_is_found(
    write: Write,
    kind: str,
    spec: str,
    is_refused: bool,  # noqa: FBT001
) -> None:
    """Each kind takes its own schemes, and a registry of charts needs its type."""
    wanted = ["source-url-refused 4:13"] if is_refused else []

    assert wanted == found(write, SOURCE.format(kind, spec))


@pytest.mark.parametrize(
    ("manifest", "count"),
    [
        (APP.replace("VALUE", "{enabled: true, certificateIssuer: cloudflared}"), 1),
        (APP.replace("VALUE", "{enabled: true, certificateIssuer: prod}"), 0),
        (APP.replace("VALUE", "{enabled: true, certificateIssuer: staging}"), 0),
        (APP.replace("VALUE", "{enabled: true, certificateIssuer: '${UNKNOWN}'}"), 0),
        (APP.replace("VALUE", "{enabled: false, certificateIssuer: cloudflared}"), 0),
        (INGRESS.replace("NAME", "live"), 0),
        (INGRESS.replace("NAME", "dead"), 1),
        (CERTIFICATE.replace("KIND", "ClusterIssuer"), 1),
        (CERTIFICATE.replace("KIND", "Issuer"), 0),
    ],
)
def test_issuer_that_nothing_makes_is_found(write: Write, manifest: str, count: int) -> None:
    """Names are held against ClusterIssuers and the values of TrueCharts' chart of them."""
    ids = [item.partition(" ")[0] for item in found(write, ISSUERS, ISSUER, manifest)]

    assert ["missing-issuer"] * count == ids


def test_issuers_that_are_not_known_are_not_judged(write: Write) -> None:
    """Without any issuer in the repository, or with an encrypted name, nothing is said."""
    app = APP.replace("VALUE", "{enabled: true, certificateIssuer: x}")

    assert [] == found(write, app)
    assert [] == found(write, ISSUERS.replace("${STAGING}", "${SECRET}"), app)

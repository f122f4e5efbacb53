"""Findings about releases' values, service addresses, images and uncovered Secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from inventory import Finding, read_repository

Write = Callable[[Mapping[str, str]], Path]

CLUSTERENV = "VIP: 10.0.0.5\nMETALLB_RANGE: 10.0.0.130-10.0.0.250\n"
SOPS = "creation_rules: [{path_regex: whole.yaml}]\n"
ENTRY = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-entry, namespace: flux-system}
spec: {path: ./clusters/main/kubernetes, sourceRef: {kind: GitRepository, name: cluster}}
"""
RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: NAME, namespace: default}
spec:
  chart: {spec: {chart: CHART, version: 1.0.0, sourceRef: {kind: HelmRepository, name: x}}}
"""


def described(findings: list[Finding]) -> list[tuple[str, str]]:
    """Return id and place of findings."""
    return [(f.id, f"{Path(f.position.path).name}:{f.position.line}") for f in findings]


def found_in(write: Write, *manifests: str, **files: str) -> list[tuple[str, str]]:
    """Return id and place of the findings of a cluster that holds these manifests."""
    names = [f"m{number}.yaml" for number in range(len(manifests))]
    root = write(
        {
            "clusters/main/kubernetes/flux-entry.yaml": ENTRY,
            "clusters/main/kubernetes/kustomization.yaml": f"resources: [{', '.join(names)}]\n",
            **{
                f"clusters/main/kubernetes/{name}": text
                for name, text in zip(names, manifests, strict=True)
            },
            **files,
        }
    )
    ignored = {"missing-source", "entry-not-in-tree", "address-one-sided"}
    findings = read_repository(root, "main").findings
    return described([finding for finding in findings if finding.id not in ignored])


def release(name: str, chart: str, values: str) -> str:
    """Write a HelmRelease."""
    return RELEASE.replace("NAME", name).replace("CHART", chart) + f"  values: {values}\n"


def test_values_that_ask_for_absent_things_are_errors(write: Write) -> None:
    """TrueCharts' values name what they need; switched-off parts need nothing."""
    asks = "{cnpg: {main: {}, off: {enabled: false}}, persistence: {a: {volsync: [1]}}}"

    assert [("release-without-provider", "m0.yaml:6")] == found_in(
        write, release("app", "app", asks), release("volsync", "volsync", "{}"), x=""
    )[:1]


def test_values_that_ask_for_present_things_are_ordered(write: Write) -> None:
    """Releases that need another one without saying so are listed in one finding."""
    asks = "{ingress: {main: {integrations: {certManager: {enabled: true}}}}}"
    manifests = [
        ks("cert-manager", "a"),
        ks("app", "b"),
    ]

    assert [("release-order-not-declared", "hr.yaml:6")] == [
        item
        for item in found_in(
            write,
            *manifests,
            **{
                "a/hr.yaml": release("cert-manager", "cert-manager", "{}"),
                "b/hr.yaml": release("app", "app", asks),
            },
        )
        if item[0].startswith("release-")
    ]


def ks(name: str, path: str) -> str:
    """Write a Flux Kustomization."""
    text = ENTRY.replace("flux-entry", name)
    return text.replace("./clusters/main/kubernetes", path)


FIELD = "loadBalancerIP: 10.0.0.140"
NOTE = "metallb.io/loadBalancerIPs: 10.0.0.14"
SHARED = f"{{type: LoadBalancer, annotations: {{{NOTE}0, metallb.io/allow-shared-ip: x}}}}"


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ("{a: {loadBalancerIP: 10.0.0.9}}", [("address-outside-pool", 6)]),
        ("{a: {loadBalancerIP: '${VIP}'}}", [("address-outside-pool", 6)]),
        (f"{{a: {{{FIELD}}}, b: {{{FIELD}}}}}", [("address-given-twice", 6)]),
        (f"{{a: {{{FIELD}, annotations: {{{NOTE}1}}}}}}", [("address-differs", 6)]),
        (f"{{a: {{{FIELD}, enabled: false}}, b: {{{FIELD}}}}}", []),
        (f"{{a: {SHARED}, b: {SHARED}}}", []),
        ("{image: {repository: tccr.io/truecharts/x}}", [("dead-registry", 6)]),
    ],
)
def test_service_addresses_and_images(
    write: Write, values: str, found: list[tuple[str, int]]
) -> None:
    """Addresses are compared after substitution, shared ones may meet, dead images are errors."""
    wanted = [(name, f"m0.yaml:{line}") for name, line in found]

    assert wanted == found_in(
        write, release("app", "app", values), **{"clusters/main/clusterenv.yaml": CLUSTERENV}
    )


def test_secrets_no_rule_covers_are_found(write: Write) -> None:
    """A plain Secret outside every creation rule is a warning; a reference in it is none."""
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: default}\n"

    assert [("uncovered-secret", "m0.yaml:4")] == found_in(
        write, secret + "stringData: {a: '${X}', b: clear}\n", **{".sops.yaml": SOPS}
    )


def test_names_and_hosts_in_a_secret_are_no_secrets(write: Write) -> None:
    """Who asks and where something is may stand in Git; the password is a reference."""
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: default}\n"
    data = "{username: plex, RCLONE_CONFIG_X_TYPE: s3, db-host: a, password: '${X}'}"

    assert [] == found_in(write, f"{secret}stringData: {data}\n", **{".sops.yaml": SOPS})

"""Findings about values of well-known charts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from inventory import Severity, read_repository
from tests.inventory.inventory_files import base, config_map, ks, kustomization

Write = Callable[[Mapping[str, str]], Path]

IDS = {
    "crds-not-installed",
    "crds-switched-twice",
    "more-replicas-than-nodes",
    "drain-blocked",
    "cni-needs-others",
}
NODE = "  - {hostname: NAME, ipAddress: 10.0.0.NUMBER, controlPlane: true, installDisk: /dev/sda}\n"
CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: certificates.cert-manager.io}
spec: {group: cert-manager.io, names: {kind: Certificate}}
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, namespace: default}
spec:
  replicas: 2
  template: {spec: POD}
"""
SPREAD = (
    "{affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution:"
    " [{topologyKey: kubernetes.io/hostname}]}}}"
)


def release(chart: str, values: str, version: str = "1.0.0", more: str = "") -> str:
    """Write a HelmRelease; its values stand in line 6."""
    return (
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n"
        f"metadata: {{name: {chart}, namespace: default}}\nspec:\n"
        f"  chart: {{spec: {{chart: {chart}, version: {version}}}}}\n  values: {values}\n{more}"
    )


def found(write: Write, *manifests: str, nodes: int = 1) -> list[str]:
    """Return id and line of findings about values, on a cluster of some nodes."""
    names = [f"m{number}.yaml" for number in range(len(manifests))]
    files = base(
        **{
            "kustomization.yaml": kustomization("flux-entry.yaml", *names),
            **dict(zip(names, manifests, strict=True)),
        }
    )
    machines = "".join(
        NODE.replace("NAME", f"n{number}").replace("NUMBER", str(number)) for number in range(nodes)
    )
    talconfig = (
        "talosVersion: v1.13.9\nkubernetesVersion: v1.36.4\nallowSchedulingOnControlPlanes: true\n"
        f"endpoint: https://10.0.0.9:6443\nnodes:\n{machines}"
    )
    folder = "clusters/main"
    environment = {f"{folder}/clusterenv.yaml": "COPIES: 3\n"}
    root = write({**files, **environment, f"{folder}/talos/talconfig.yaml": talconfig})
    findings = read_repository(root, "main").findings
    return [f"{f.id} {f.position.line}" for f in findings if f.id in IDS]


FLUX = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {name: flux-manifests, namespace: flux-system}
spec: {url: "oci://ghcr.io/fluxcd/flux-manifests", ref: {tag: TAG}}
"""
LEGACY = release("cilium", "{}", more="  waitStrategy: {name: legacy}\n")
ALONE = DEPLOYMENT.replace("POD", SPREAD)


@pytest.mark.parametrize(
    ("manifest", "tag", "severity"),
    [
        (release("cilium", "{}"), "v2.8.0", Severity.ERROR),
        (release("cilium", "{}"), "v2.9.4", Severity.ERROR),
        (release("cilium", "{}"), "v2.7.5", Severity.WARNING),
        (release("cilium", "{}"), "", Severity.WARNING),
        (LEGACY, "v2.9.4", Severity.WARNING),
        (LEGACY.replace("legacy", "poller"), "v2.7.5", Severity.ERROR),
        (
            release("cilium", "{}", more="  install: {disableWait: true}\n"),
            "v2.9.4",
            Severity.WARNING,
        ),
        (release("longhorn", "{}"), "v2.9.4", Severity.WARNING),
        (ALONE, "v2.9.4", Severity.WARNING),
    ],
)
def test_replicas_that_are_waited_for_are_an_error(
    write: Write, manifest: str, tag: str, severity: Severity
) -> None:
    """Since Flux 2.8 a release waits for every pod of its own, so one too many fails it."""
    files = base(
        **{
            "kustomization.yaml": kustomization("flux-entry.yaml", "m.yaml", "f.yaml"),
            "m.yaml": manifest,
            "f.yaml": FLUX.replace("TAG", tag) if tag else config_map("a"),
        }
    )
    files["clusters/main/talos/talconfig.yaml"] = (
        "allowSchedulingOnControlPlanes: true\nnodes:\n" + NODE
    )
    findings = read_repository(write(files), "main").findings

    assert [severity] == [f.severity for f in findings if f.id == "more-replicas-than-nodes"]


def test_replicas_that_a_kustomization_waits_for_are_an_error(write: Write) -> None:
    """With wait a Kustomization is never ready while a pod is pending."""
    folder = "clusters/main/kubernetes"
    files = base(
        **{
            "kustomization.yaml": kustomization("flux-entry.yaml", "source.yaml", "ks.yaml"),
            "ks.yaml": ks("a", f"./{folder}/a", more="  wait: true\n"),
            "a/m.yaml": ALONE,
            "a/kustomization.yaml": kustomization("m.yaml"),
        }
    )
    files["clusters/main/talos/talconfig.yaml"] = "nodes:\n" + NODE
    [only] = [
        f
        for f in read_repository(write(files), "main").findings
        if f.id == "more-replicas-than-nodes"
    ]

    assert only.severity is Severity.ERROR
    assert "`a` waits" in only.message


@pytest.mark.parametrize(
    ("chart", "version", "values", "more"),
    [
        ("cert-manager", "v1.21.1", "{}", ""),
        ("cert-manager", "v1.21.1", "{installCRDs: false}", ""),
        ("cert-manager", "v1.14.7", "{crds: {enabled: true}}", ""),
        ("external-secrets", "1.0.0", "{installCRDs: false}", ""),
        ("kyverno", "3.0.0", "{crds: {install: false}}", ""),
        ("tuppr", "0.5.0", "{}", "  install: {crds: Skip}\n"),
    ],
)
def test_release_without_its_crds_is_found(
    write: Write, chart: str, version: str, values: str, more: str
) -> None:
    """CRDs are off, by the values, by the chart's own default or by Flux."""
    [only] = found(write, release(chart, values, version, more))

    assert only.startswith("crds-not-installed")


@pytest.mark.parametrize(
    ("chart", "version", "values", "beside"),
    [
        ("cert-manager", "v1.21.1", "{installCRDs: true}", config_map("a")),
        ("cert-manager", "v1.14.7", "{installCRDs: true}", config_map("a")),
        ("cert-manager", "v1.21.1", '{crds: {enabled: "${CRDS}"}}', config_map("a")),
        ("cert-manager", "6.5.2", "{}", config_map("a")),
        ("cert-manager", "v1.21.1", "{}", CRD),
        (
            "kube-prometheus-stack",
            "80.0.0",
            "{crds: {enabled: false}}",
            release("prometheus-operator-crds", "{}"),
        ),
        ("plex", "1.0.0", "{crds: {enabled: false}}", config_map("a")),
    ],
)
def test_release_with_its_crds_is_not_found(
    write: Write, chart: str, version: str, values: str, beside: str
) -> None:
    """They are on, unknown, not of this chart, or come another way."""
    assert [] == found(write, release(chart, values, version), beside)


@pytest.mark.parametrize(
    ("version", "values", "count"),
    [
        ("v1.18.6", "{installCRDs: true, crds: {enabled: true}}", 1),
        ("v1.18.6", "{installCRDs: true, crds: {keep: false}}", 1),
        ("v1.18.6", "{installCRDs: true}", 0),
        ("v1.19.1", "{installCRDs: true, crds: {enabled: true}}", 0),
    ],
)
def test_both_switches_are_found_where_the_chart_refuses_them(
    write: Write, version: str, values: str, count: int
) -> None:
    """Only cert-manager 1.15 to 1.18 refuse both."""
    expected = ["crds-switched-twice 6"] * count

    assert expected == found(write, release("cert-manager", values, version))


@pytest.mark.parametrize(
    ("manifest", "nodes", "count"),
    [
        (release("cilium", "{}"), 1, 1),
        (release("cilium", "{operator: {replicas: 1}}"), 1, 0),
        (release("cilium", '{operator: {replicas: "${UNKNOWN}"}}'), 1, 0),
        (release("cilium", "{}"), 2, 0),
        (release("longhorn", "{}"), 2, 1),
        (release("longhorn", '{persistence: {defaultClassReplicaCount: "3"}}'), 3, 0),
        (release("longhorn", '{persistence: {defaultClassReplicaCount: "${COPIES}"}}'), 2, 1),
        (DEPLOYMENT.replace("POD", SPREAD), 1, 1),
        (DEPLOYMENT.replace("POD", "{containers: [{ports: [{hostPort: 80}]}]}"), 1, 1),
        (DEPLOYMENT.replace("POD", "{containers: [{ports: [{containerPort: 80}]}]}"), 1, 0),
        (DEPLOYMENT.replace("POD", SPREAD), 2, 0),
    ],
)
def test_more_replicas_than_nodes_are_found(
    write: Write, manifest: str, nodes: int, count: int
) -> None:
    """What wants a node for each replica is counted against the nodes."""
    found_ids = [item.partition(" ")[0] for item in found(write, manifest, nodes=nodes)]

    assert ["more-replicas-than-nodes"] * count == found_ids


@pytest.mark.parametrize(
    ("values", "nodes", "count"),
    [
        ("{persistence: {defaultClassReplicaCount: 1}}", 3, 1),
        ("{persistence: {defaultClassReplicaCount: 1}}", 1, 0),
        (
            "{persistence: {defaultClassReplicaCount: 1}, defaultSettings: {nodeDrainPolicy: x}}",
            3,
            0,
        ),
        ("{persistence: {defaultClassReplicaCount: 2}}", 3, 0),
    ],
)
def test_only_copies_that_hold_a_drain_are_found(
    write: Write, values: str, nodes: int, count: int
) -> None:
    """One copy and Longhorn's default policy hold every drain, where there is one."""
    assert ["drain-blocked 6"] * count == found(write, release("longhorn", values), nodes=nodes)


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ("{prometheus: {enabled: true, serviceMonitor: {enabled: true}}}", 1),
        ("{operator: {prometheus: {serviceMonitor: {enabled: true}}}}", 1),
        ("{hubble: {metrics: {enabled: [dns], serviceMonitor: {enabled: true}}}}", 1),
        ("{hubble: {tls: {auto: {method: certmanager}}}}", 1),
        ("{prometheus: {serviceMonitor: {enabled: true}}}", 0),
        ("{hubble: {enabled: false, metrics: {enabled: [a], serviceMonitor: {enabled: true}}}}", 0),
        ("{hubble: {enabled: false, tls: {auto: {method: certmanager}}}}", 0),
    ],
)
def test_cni_that_needs_what_needs_the_cni_is_found(write: Write, values: str, count: int) -> None:
    """A ServiceMonitor counts where its metrics are on; cert-manager where Hubble is."""
    assert ["cni-needs-others 6"] * count == found(write, release("cilium", values), nodes=2)

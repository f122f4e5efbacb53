"""Findings about what machine config patches give to the cluster's objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from inventory import Finding, read_repository
from tests.inventory.inventory_files import base, kustomization

Write = Callable[[Mapping[str, str]], Path]

IDS = {
    "kubeprism-not-listening",
    "talos-api-not-allowed",
    "no-csr-approver",
    "nodes-not-initialized",
    "user-namespaces-off",
    "vip-as-talos-endpoint",
}
TALCONFIG = """\
clusterName: main
talosVersion: v1.13.9
kubernetesVersion: v1.36.4
endpoint: https://${VIP}:6443
patches: PATCHES
nodes:
  - hostname: one
    ipAddress: 10.0.0.11
    controlPlane: true
    installDisk: /dev/sda
    networkInterfaces: [{interface: eth0, vip: {ip: "${VIP}"}}]
  - {hostname: two, ipAddress: 10.0.0.12, controlPlane: false, installDisk: /dev/sda}
"""
CILIUM = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: cilium, namespace: kube-system}
spec:
  chart: {spec: {chart: cilium, version: 1.19.1}}
  values:
    k8sServiceHost: 127.0.0.1
    k8sServicePort: PORT
"""
ACCOUNT = """\
apiVersion: talos.dev/v1alpha1
kind: ServiceAccount
metadata: {name: talos, namespace: SPACE}
spec: {roles: ["ROLE"]}
"""
POD = (
    "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: default}\nspec:\n  hostUsers: MAY\n"
)
APPROVER = CILIUM.replace("cilium", "kubelet-csr-approver").replace("127.0.0.1", "x")
OPS = "[{op: add, path: /machine/features/kubePrism, value: {enabled: false}}]"
ACCESS = """\
machine:
  features:
    kubernetesTalosAPIAccess:
      enabled: true
      allowedRoles: ["os:admin"]
      allowedKubernetesNamespaces: [system-upgrade]
"""
ROTATION = 'machine: {kubelet: {extraArgs: {rotate-server-certificates: "true"}}}\n'
PRISM = "machine: {features: {kubePrism: {enabled: ON, port: 7445}}}\n"
JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {name: a, namespace: default}
spec: {template: {spec: {containers: [{image: talosctl, args: [upgrade-k8s, ARGUMENTS]}]}}}
"""


def found(
    write: Write, manifest: str, patch: str | None = "", inline: str = "", **files: str
) -> list[str]:
    """Return id and place of findings about machines; `patch` None is one that Git lacks."""
    return [
        f"{f.id} {Path(f.position.path).name}:{f.position.line}"
        for f in findings(write, manifest, patch, inline, **files)
        if f.id in IDS
    ]


def findings(
    write: Write, manifest: str, patch: str | None = "", inline: str = "", **files: str
) -> tuple[Finding, ...]:
    """Return all findings of a cluster with one manifest."""
    patches = f"['@./patches/all.yaml', '{inline}']" if inline else "['@./patches/all.yaml']"
    folder = "clusters/main/talos"
    made = {
        **base(
            **{
                "kustomization.yaml": kustomization("flux-entry.yaml", "one.yaml"),
                "one.yaml": manifest,
            }
        ),
        f"{folder}/talconfig.yaml": TALCONFIG.replace("PATCHES", patches),
        "clusters/main/clusterenv.yaml": "VIP: 10.0.0.5\n",
        **{f"{folder}/{name}": text for name, text in files.items()},
    }
    if patch is not None:
        made[f"{folder}/patches/all.yaml"] = patch
    return read_repository(write(made), "main").findings


def account(space: str, role: str) -> str:
    """Write a ServiceAccount of the Talos API."""
    return ACCOUNT.replace("SPACE", space).replace("ROLE", role)


@pytest.mark.parametrize(
    ("port", "patch", "inline"),
    [
        ("7445", PRISM.replace("ON", "false"), ""),
        ("7445", "", OPS),
        ("7446", "", ""),
        ("6443", "", ""),
        ("7445", PRISM.replace("ON", "true").replace("7445", "7446"), ""),
    ],
)
def test_cni_that_asks_where_nothing_listens_is_found(
    write: Write, port: str, patch: str, inline: str
) -> None:
    """KubePrism is off or on another port, in whatever form the patch says so."""
    cilium = CILIUM.replace("PORT", port)

    assert ["kubeprism-not-listening one.yaml:7"] == found(write, cilium, patch, inline)


@pytest.mark.parametrize("patch", [None, "", PRISM.replace("ON", "true")])
def test_cni_that_asks_kubeprism_is_not_found(write: Write, patch: str | None) -> None:
    """Talos runs KubePrism on 7445 unless a patch says otherwise."""
    assert [] == found(write, CILIUM.replace("PORT", "7445"), patch)


@pytest.mark.parametrize(
    ("space", "role", "patch"),
    [
        ("system-upgrade", "os:admin", ""),
        ("backup", "os:admin", ACCESS),
        ("system-upgrade", "os:etcd:backup", ACCESS),
        ("system-upgrade", "os:admin", ACCESS.replace("enabled: true", "enabled: false")),
        ("backup", "os:admin", None),
    ],
)
def test_access_that_no_patch_allows_is_found(
    write: Write, space: str, role: str, patch: str | None
) -> None:
    """The namespace, the role and the switch must all be in the patches."""
    assert ["talos-api-not-allowed one.yaml:1"] == found(write, account(space, role), patch)


@pytest.mark.parametrize(("patch", "severity"), [(ACCESS, "error"), (None, "warning")])
def test_doubtful_access_is_only_a_warning(write: Write, patch: str | None, severity: str) -> None:
    """A patch that Git lacks may allow what those in Git do not."""
    found(write, account("backup", "os:admin"), patch)
    findings = read_repository(write({}), "main").findings

    assert [severity] == [f.severity for f in findings if f.id == "talos-api-not-allowed"]


@pytest.mark.parametrize("patch", [None, ACCESS])
def test_access_that_is_allowed_is_not_found(write: Write, patch: str | None) -> None:
    """A patch in Git allows it, or ClusterTool's own, which Git does not hold, does."""
    assert [] == found(write, account("system-upgrade", "os:admin"), patch)


def test_certificates_that_nobody_approves_are_found(write: Write) -> None:
    """Rotation needs an approver in the cluster; with one, all is well."""
    assert ["no-csr-approver all.yaml:1"] == found(write, CILIUM.replace("PORT", "7445"), ROTATION)
    assert [] == found(write, APPROVER, ROTATION)
    assert [] == found(write, MANAGER, ROTATION)
    assert [] == found(write, POD, ROTATION + BROUGHT)


MANAGER = APPROVER.replace("kubelet-csr-approver", "talos-cloud-controller-manager")
EXTERNAL = "machine: {kubelet: {extraArgs: {cloud-provider: external}}}\n"
BROUGHT = """\
cluster:
  externalCloudProvider:
    enabled: true
    manifests: [https://x.example/siderolabs/talos-cloud-controller-manager/x.yml]
"""
INLINE = "cluster: {inlineManifests: [{name: a, contents: 'kind: aws-cloud-controller-manager'}]}\n"


@pytest.mark.parametrize(
    ("manifest", "patch", "reason"),
    [
        (POD, EXTERNAL, "nothing here initializes nodes"),
        (POD, "cluster: {externalCloudProvider: {enabled: true}}\n", "nothing here initializes"),
        (MANAGER, EXTERNAL, "`talos-cloud-controller-manager` comes with Flux only"),
        (MANAGER, EXTERNAL + BROUGHT, ""),
        (POD, BROUGHT, ""),
        (POD, EXTERNAL + INLINE, ""),
        (POD, "machine: {kubelet: {extraArgs: {cloud-provider: ''}}}\n", ""),
    ],
)
def test_nodes_that_nobody_initializes_are_found(
    write: Write, manifest: str, patch: str, reason: str
) -> None:
    """A cloud manager has to come before Flux, whose pods wait for it otherwise."""
    said = [f for f in findings(write, manifest, patch) if f.id == "nodes-not-initialized"]

    assert bool(reason) == bool(said)
    assert reason in "".join(finding.message for finding in said)
    assert {"error"} >= {finding.severity.value for finding in said}


@pytest.mark.parametrize(
    ("may", "patch", "count"),
    [
        ("false", "", 1),
        ("true", "", 0),
        ("false", 'machine: {sysctls: {user.max_user_namespaces: "11255"}}\n', 0),
        ("false", None, 0),
    ],
)
def test_user_namespaces_without_their_sysctl_are_found(
    write: Write, may: str, patch: str | None, count: int
) -> None:
    """Where every patch is in Git, the sysctl is set or it is not."""
    expected = ["user-namespaces-off one.yaml:5"] * count

    assert expected == found(write, POD.replace("MAY", may), patch)


TRUECHARTS = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: truecharts, namespace: flux-system}
spec: {type: oci, url: "oci://oci.lab.example/truecharts"}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: plex, namespace: default}
spec:
  chart: {spec: {chart: plex, version: 20.0.0, sourceRef: {kind: HelmRepository,
    name: truecharts, namespace: flux-system}}}
  values: VALUES
"""
SYSCTL = 'machine: {sysctls: {user.max_user_namespaces: "11255"}}\n'


@pytest.mark.parametrize(
    ("manifest", "patch", "count"),
    [
        (TRUECHARTS, "", 1),
        (TRUECHARTS, SYSCTL, 0),
        (TRUECHARTS, None, 0),
        (TRUECHARTS.replace("VALUES", "{podOptions: {hostUsers: true}}"), "", 0),
        (TRUECHARTS.replace("VALUES", "{podOptions: {hostUsers: false}}"), "", 1),
        (TRUECHARTS.replace("VALUES", "{workload: {main: {podSpec: {hostNetwork: true}}}}"), "", 0),
        (TRUECHARTS.replace("chart: plex", "chart: metallb-config"), "", 0),
        (TRUECHARTS.replace("lab.example/truecharts", "lab.example/others"), "", 0),
    ],
)
def test_charts_that_want_user_namespaces_by_default_are_found(
    write: Write, manifest: str, patch: str | None, count: int
) -> None:
    """TrueCharts' pods have users of their own from Kubernetes 1.33, unless the values say no."""
    ids = [item.partition(" ")[0] for item in found(write, manifest.replace("VALUES", "{}"), patch)]

    assert ["user-namespaces-off"] * count == ids


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ("--endpoints=10.0.0.5", 1),
        ('-e, "${VIP}"', 1),
        ('"--nodes=10.0.0.11,10.0.0.5"', 1),
        ("--endpoints=10.0.0.11", 0),
        ('--endpoint, "https://10.0.0.5:6443"', 0),
    ],
)
def test_talosctl_that_asks_the_vip_is_found(write: Write, arguments: str, count: int) -> None:
    """The VIP is no machine; as Kubernetes' endpoint it is right."""
    expected = ["vip-as-talos-endpoint one.yaml:1"] * count

    assert expected == found(write, JOB.replace("ARGUMENTS", arguments))


def test_talosconfig_with_the_vip_is_found(write: Write) -> None:
    """Each endpoint of each context is judged at its place."""
    config = "contexts:\n  main:\n    endpoints:\n      - 10.0.0.11\n      - 10.0.0.5\n"

    assert ["vip-as-talos-endpoint talosconfig:5"] == found(write, POD, talosconfig=config)

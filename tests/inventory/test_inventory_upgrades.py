"""Findings about what upgrades a cluster by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from inventory import read_repository
from tests.inventory.inventory_files import base, kustomization

Write = Callable[[Mapping[str, str]], Path]

FOLDER = "clusters/main/kubernetes"
TWO_NODES = """\
clusterName: main
talosVersion: v1.13.9
kubernetesVersion: v1.36.4
endpoint: https://10.0.0.5:6443
nodes:
  - {hostname: one, ipAddress: 10.0.0.11, controlPlane: true, installDisk: /dev/sda}
  - {hostname: two, ipAddress: 10.0.0.12, controlPlane: false, installDisk: /dev/sda}
"""
ONE_NODE = TWO_NODES.rpartition("  - {")[0]
TALOS = """\
apiVersion: tuppr.home-operations.com/v1alpha1
kind: TalosUpgrade
metadata: {name: talos}
spec:
  talos: {version: v1.13.9}
"""
ASKING = TALOS + "  healthChecks: [{apiVersion: longhorn.io/v1beta2, kind: Volume, expr: x}]\n"
PLAN = """\
apiVersion: upgrade.cattle.io/v1
kind: Plan
metadata: {name: talos, namespace: system-upgrade}
spec:
  version: v1.13.9
  nodeSelector:
    MATCH
"""
LABEL = "feature.node.kubernetes.io/system-os_release.ID"
IS_TALOS = PLAN.replace("MATCH", f"matchExpressions: [{{key: {LABEL}, operator: In, values: [a]}}]")
LABELLED = PLAN.replace("MATCH", f"matchLabels: {{{LABEL}: talos}}")
IS_NOT = PLAN.replace("MATCH", f"matchExpressions: [{{key: {LABEL}, operator: DoesNotExist}}]")


def release(chart: str) -> str:
    """Write a HelmRelease."""
    return (
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n"
        f"metadata: {{name: {chart}, namespace: default}}\n"
        f"spec: {{chart: {{spec: {{chart: {chart}, version: 1.0.0}}}}}}\n"
    )


def found(write: Write, upgrade: str, chart: str, talconfig: str = TWO_NODES) -> list[str]:
    """Return id and line of the findings about an upgrade beside a release."""
    files = base(
        **{
            "kustomization.yaml": kustomization("flux-entry.yaml", "up.yaml", "release.yaml"),
            "up.yaml": upgrade,
            "release.yaml": release(chart),
        }
    )
    root = write({**files, "clusters/main/talos/talconfig.yaml": talconfig})
    wanted = {"upgrade-without-health-checks", "plan-fits-no-node", "drain-without-retry"}
    findings = read_repository(root, "main").findings
    return [f"{f.id} {f.position.line}" for f in findings if f.id in wanted]


def test_upgrade_that_does_not_ask_storage_is_found(write: Write) -> None:
    """With replicated storage, Ready is not enough to go to the next node."""
    assert ["upgrade-without-health-checks 5"] == found(write, TALOS, "longhorn")


@pytest.mark.parametrize(
    ("upgrade", "chart", "talconfig"),
    [
        (ASKING, "longhorn", TWO_NODES),
        (TALOS, "plex", TWO_NODES),
        (TALOS, "longhorn", ONE_NODE),
        (TALOS.replace("TalosUpgrade", "KubernetesUpgrade"), "longhorn", TWO_NODES),
    ],
)
def test_upgrade_that_need_not_ask_is_not_found(
    write: Write, upgrade: str, chart: str, talconfig: str
) -> None:
    """It asks, nothing is replicated, there is no next node, or no node restarts."""
    assert [] == found(write, upgrade, chart, talconfig)


@pytest.mark.parametrize(
    ("policy", "chart", "talconfig", "count"),
    [
        ("{waitForVolumeDetach: true}", "longhorn", TWO_NODES, 1),
        ("{waitForVolumeDetach: true}", "cloudnative-pg", TWO_NODES, 1),
        ("{waitForVolumeDetach: true}", "plex", TWO_NODES, 0),
        ("{waitForVolumeDetach: true}", "longhorn", ONE_NODE, 0),
        ("{waitForVolumeDetach: false}", "longhorn", TWO_NODES, 0),
        ("{drainTimeout: 10m}", "longhorn", TWO_NODES, 0),
    ],
)
def test_drain_that_is_tried_once_is_found(
    write: Write, policy: str, chart: str, talconfig: str, count: int
) -> None:
    """Whoever waits for volumes drains without a second try, which budgets of storage refuse."""
    upgrade = f"{ASKING}  policy: {policy}\n"

    assert ["drain-without-retry 7"] * count == found(write, upgrade, chart, talconfig)


@pytest.mark.parametrize(("plan", "line"), [(IS_TALOS, 7), (LABELLED, 7)])
def test_plan_for_labels_that_nothing_sets_is_found(write: Write, plan: str, line: int) -> None:
    """Without Node Feature Discovery no node has its labels."""
    assert [f"plan-fits-no-node {line}"] == found(write, plan, "plex")


@pytest.mark.parametrize(
    ("plan", "chart"), [(IS_TALOS, "node-feature-discovery"), (IS_NOT, "plex")]
)
def test_plan_that_fits_nodes_is_not_found(write: Write, plan: str, chart: str) -> None:
    """The labels are set, or the plan asks for their absence."""
    assert [] == found(write, plan, chart)

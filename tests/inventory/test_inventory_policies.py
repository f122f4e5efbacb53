"""Findings about policies that reach too far, backups that stop, objects without a namespace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from inventory import read_repository
from tests.inventory.inventory_files import base, config_map, kustomization

Write = Callable[[Mapping[str, str]], Path]

IDS = {
    "backup-schedule-ignored",
    "operator-shut-out",
    "storage-images-rewritten",
    "no-namespace",
}
OPERATOR = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: cloudnative-pg, namespace: cnpg-system}
spec: {chart: {spec: {chart: cloudnative-pg, version: 1.0.0}}}
"""
LONGHORN = OPERATOR.replace("cloudnative-pg", "longhorn").replace("cnpg-", "longhorn-")
DATABASE = """\
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: a, namespace: home}
"""
BY_VALUES = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: app, namespace: home}
spec: {chart: {spec: {chart: app, version: 1.0.0}}, values: {cnpg: {main: {enabled: true}}}}
"""
POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: a, namespace: home}
spec:
  podSelector: SELECTOR
  policyTypes: [Ingress]
  ingress: [RULE]
"""
OWN = "{from: [{podSelector: {}}]}"
KYVERNO = """\
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: a}
spec:
  rules:
    - {name: r, match: {any: [{resources: {kinds: [Pod]MATCH}}]}, RULE}
"""
MUTATE = "mutate: {foreach: [{context: [{name: x, imageRegistry: {reference: y}}]}]}"
SOURCE = """\
apiVersion: volsync.backube/v1alpha1
kind: ReplicationSource
metadata: {name: a, namespace: home}
spec:
  trigger:
    schedule: "0 3 * * *"
"""


def found(write: Write, *manifests: str) -> list[str]:
    """Return id, file and line of findings about policies, backups and namespaces."""
    names = [f"m{number}.yaml" for number in range(len(manifests))]
    files = base(
        **{
            "kustomization.yaml": kustomization("flux-entry.yaml", *names),
            **dict(zip(names, manifests, strict=True)),
        }
    )
    findings = read_repository(write(files), "main").findings
    return [
        f"{f.id} {Path(f.position.path).name}:{f.position.line}" for f in findings if f.id in IDS
    ]


def policy(rule: str, selector: str = "{}") -> str:
    """Write a NetworkPolicy."""
    return POLICY.replace("RULE", rule).replace("SELECTOR", selector)


@pytest.mark.parametrize("database", [DATABASE, BY_VALUES])
def test_databases_behind_a_closed_policy_are_found(write: Write, database: str) -> None:
    """A policy for all pods that lets only neighbours in shuts the operator out."""
    assert ["operator-shut-out m2.yaml:7"] == found(write, OPERATOR, database, policy(OWN))


@pytest.mark.parametrize(
    ("rule", "selector"),
    [
        (
            "{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: SPACE}}}]}",
            "{}",
        ),
        ("{from: [{namespaceSelector: {}}]}", "{}"),
        ("{from: [{namespaceSelector: {matchLabels: {zone: a}}}]}", "{}"),
        ("{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}", "{}"),
        ("{ports: [{port: 8000}]}", "{}"),
        (OWN, "{matchLabels: {app: a}}"),
    ],
)
def test_policy_that_may_let_the_operator_in_is_not_found(
    write: Write, rule: str, selector: str
) -> None:
    """It names the operator, everybody, something unknown, or other pods."""
    assert [] == found(
        write, OPERATOR, DATABASE, policy(rule.replace("SPACE", "cnpg-system"), selector)
    )


def test_policy_without_databases_is_not_found(write: Write) -> None:
    """Nothing waits for an operator in that namespace."""
    assert [] == found(write, OPERATOR, DATABASE.replace("home", "other"), policy(OWN))


@pytest.mark.parametrize(
    ("rule", "match", "count"),
    [
        (MUTATE, "", 1),
        ("verifyImages: [{imageReferences: ['*']}]", "", 1),
        ("verifyImages: [{imageReferences: ['*'], mutateDigest: false}]", "", 0),
        ("validate: {message: x}", "", 0),
        (MUTATE, ", namespaces: [home]", 0),
        (f"exclude: {{any: [{{resources: {{namespaces: [longhorn-system]}}}}]}}, {MUTATE}", "", 0),
    ],
)
def test_policies_that_rewrite_the_storages_images_are_found(
    write: Write, rule: str, match: str, count: int
) -> None:
    """Only rules that rewrite, and that reach Longhorn's namespace."""
    text = KYVERNO.replace("RULE", rule).replace("MATCH", match)

    assert ["storage-images-rewritten m1.yaml:6"] * count == found(write, LONGHORN, text)


def test_schedule_beside_a_manual_trigger_is_found(write: Write) -> None:
    """VolSync follows the manual trigger then; alone, either is fine."""
    manual = "    manual: once\n"

    assert ["backup-schedule-ignored m0.yaml:7"] == found(write, SOURCE + manual)
    assert [] == found(write, SOURCE, SOURCE.replace("schedule", "manual").replace("a,", "b,"))


def test_object_without_a_needed_namespace_is_found(write: Write) -> None:
    """Flux refuses it; kinds without a namespace and unknown kinds are left alone."""
    lacking = config_map("a").replace(", namespace: default", "")
    role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: a}\n"

    assert ["no-namespace m0.yaml:3"] == found(write, lacking, role)


def test_namespace_may_come_from_the_kustomization(write: Write) -> None:
    """What kustomize sets counts, not what the file says."""
    lacking = config_map("a").replace(", namespace: default", "")
    files = base(
        **{
            "kustomization.yaml": kustomization("flux-entry.yaml", "app"),
            "app/kustomization.yaml": kustomization("a.yaml", namespace="default"),
            "app/a.yaml": lacking,
        }
    )

    assert not [f for f in read_repository(write(files), "main").findings if f.id in IDS]

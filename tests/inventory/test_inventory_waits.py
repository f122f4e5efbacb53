"""Findings about what Flux waits for, and what it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from inventory import Finding, read_repository
from tests.inventory.inventory_files import base, config_map, ks, kustomization

Write = Callable[[Mapping[str, str]], Path]

FOLDER = "clusters/main/kubernetes"
UNKNOWN = "  healthCheckExprs:\n    - {apiVersion: b/v1, kind: X, current: has(a.b)}\n"
CHECKED = "{apiVersion: apps/v1, kind: Deployment, name: a, namespace: b}"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, namespace: default}
"""


def find(write: Write, provider: str, manifest: str = DEPLOYMENT) -> Iterator[Finding]:
    """Yield the findings about waiting of a repository where `user` depends on `provider`."""
    files = base(
        **{
            "kustomization.yaml": kustomization("flux-entry.yaml", "source.yaml", "one", "two"),
            "one/kustomization.yaml": kustomization("ks.yaml"),
            "one/ks.yaml": ks("provider", f"./{FOLDER}/one/app", more=provider),
            "one/app/kustomization.yaml": kustomization("a.yaml"),
            "one/app/a.yaml": manifest,
            "two/kustomization.yaml": kustomization("ks.yaml"),
            "two/ks.yaml": ks(
                "user", f"./{FOLDER}/two/app", more="  dependsOn: [{name: provider}]\n"
            ),
            "two/app/kustomization.yaml": kustomization("a.yaml"),
            "two/app/a.yaml": config_map("b"),
        }
    )
    wanted = {"dependency-without-wait", "health-check-ignored", "expression-invalid"}
    findings = read_repository(write(files), "main").findings
    yield from (finding for finding in findings if finding.id in wanted)


def found(write: Write, provider: str, manifest: str = DEPLOYMENT) -> list[tuple[str, str]]:
    """Return ids and places."""
    findings = find(write, provider, manifest)
    return [(item.id, f"{item.position.path}:{item.position.line}") for item in findings]


def refused(write: Write, provider: str) -> list[tuple[int, str]]:
    """Return line and words of each expression that Flux refuses, without what was expected."""
    findings = [item for item in find(write, provider) if item.id == "expression-invalid"]
    return [
        (
            item.position.line,
            item.message.removeprefix("Flux refuses `provider`: ").split(" expecting")[0],
        )
        for item in findings
    ]


def test_dependency_that_is_met_too_early_is_found(write: Write) -> None:
    """Ready means applied, not working, where nothing waits for the objects."""
    assert [("dependency-without-wait", f"{FOLDER}/one/ks.yaml:5")] == found(write, "")


@pytest.mark.parametrize(
    ("provider", "manifest"),
    [
        ("  wait: true\n", DEPLOYMENT),
        (f"  healthChecks: [{CHECKED}]\n", DEPLOYMENT),
        ("", config_map("a")),
    ],
)
def test_dependency_that_means_something_is_not_found(
    write: Write, provider: str, manifest: str
) -> None:
    """Waiting is asked for, or what is applied works at once."""
    assert [] == found(write, provider, manifest)


@pytest.mark.parametrize(
    ("provider", "line"),
    [
        (f"  wait: true\n  healthChecks: [{CHECKED}]\n", 8),
        (f"  wait: true\n{UNKNOWN}", 9),
        (f"  healthChecks: [{CHECKED}]\n{UNKNOWN}", 9),
    ],
)
def test_health_checks_that_nobody_makes_are_found(write: Write, provider: str, line: int) -> None:
    """Beside wait healthChecks do not count, and expressions only for objects looked at."""
    assert [("health-check-ignored", f"{FOLDER}/one/ks.yaml:{line}")] == found(write, provider)


def test_health_checks_of_own_objects_are_made(write: Write) -> None:
    """What wait looks at anyway may be named again."""
    own = CHECKED.replace("namespace: b", "namespace: default")

    assert [] == found(write, f"  wait: true\n  healthChecks: [{own}]\n")


def test_expressions_for_own_objects_are_made(write: Write) -> None:
    """With wait, an expression counts for a kind that the Kustomization applies."""
    own = "{apiVersion: apps/v1, kind: Deployment, current: has(a.b)}"
    more = f"  wait: true\n  healthCheckExprs: [{own}]\n"

    assert [] == found(write, more)


EXPRESSIONS = """\
  wait: true
  healthCheckExprs:
    - apiVersion: apps/v1
      kind: Deployment
      current: status.readyReplicas ==
    - apiVersion: apps/v1
      kind: Deployment
      current: has(status.readyReplicas)
      failed: "size("
    - {apiVersion: batch/v1, kind: Job}
    - {apiVersion: v1, kind: Secret, current: "data.a == '${NAME} &&"}
  dependsOn:
    - name: user
      readyExpr: dep.status.phase
    - name: user
      readyExpr: dep.status.conditions.exists(e, e.type == 'Ready')
    - name: user
      readyExpr: status.phase == 'Ready'
"""


def test_expressions_that_do_not_compile_are_found(write: Write) -> None:
    """Each has its line and what CEL says; what holds variables is left alone."""
    pytest.importorskip("cel_expr_python")

    parsing = "failed to parse the CEL expression"
    ended = "Syntax error: mismatched input '<EOF>'"
    unknown = "undeclared reference to 'status.phase' (in container '')"
    assert [
        (11, f"{parsing} 'status.readyReplicas ==': ERROR: <input>:1:24: {ended}"),
        (12, "a second entry is for apps/Deployment"),
        (15, f"{parsing} 'size(': ERROR: <input>:1:6: {ended}"),
        (16, "expression `current` is missing"),
        (20, "CEL expression output type mismatch: expected bool, got dyn"),
        (24, f"{parsing} 'status.phase == 'Ready'': ERROR: <input>:1:7: {unknown}"),
    ] == refused(write, EXPRESSIONS)

"""What rules of talos-cloud-controller-manager give to nodes."""

from __future__ import annotations

import pytest

from lab.kubernetes.controllers.transformations import Transformed, transform_node

RULES = """
global:
transformations:
  - name: workers
    nodeSelector:
      - matchExpressions:
          - {key: platform, operator: In, values: [metal]}
          - {key: Hostname, operator: Regexp, values: ["^worker-"]}
    labels: {example.org/kind: worker, example.org/of: "x-{{ .Hostname }}", odd: "{{ if 1 }}"}
    annotations: {example.org/spot: "{{ .Spot }}"}
    taints: {example.org/slow: "yes:NoSchedule", example.org/old: NoExecute}
  - nodeSelector: [{matchExpressions: [{key: region, operator: Exists}]}]
    labels: {example.org/region: known}
"""
METADATA = {"platform": "metal", "hostname": "worker-1"}


def test_transformations_give_labels_annotations_and_taints() -> None:
    """Of rules that match; what needs more of Go's templates than fields is left away."""
    assert Transformed(
        {"example.org/kind": "worker", "example.org/of": "x-worker-1"},
        {"example.org/spot": "false"},
        (
            {"key": "example.org/slow", "effect": "NoSchedule", "value": "yes"},
            {"key": "example.org/old", "effect": "NoExecute"},
        ),
    ) == transform_node(RULES, METADATA)


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        ("{key: platform, operator: NotIn, values: [aws]}", True),
        ("{key: zone, operator: NotIn, values: [aws]}", False),
        ("{key: zone, operator: DoesNotExist}", True),
        ("{key: zone, operator: Gt, values: ['1']}", False),
        ("{key: platform, operator: In}", None),
        ("{key: platform, operator: Like, values: [m]}", None),
        ("{key: platform, operator: Exists, values: [m]}", None),
    ],
)
def test_rules_match_refuse_or_do_neither(rule: str, *, matches: bool | None) -> None:
    """A rule that the program refuses leaves the node as it is."""
    given = f"{{nodeSelector: [{{matchExpressions: [{rule}]}}], labels: {{a: b}}}}"
    found = transform_node(f"transformations: [{given}]", METADATA)

    assert matches == (None if found is None else bool(found.labels))


def test_a_broken_configuration_initializes_nothing() -> None:
    """The program ends with it."""
    assert transform_node("transformations: [", METADATA) is None

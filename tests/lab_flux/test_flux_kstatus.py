"""How objects are judged that a Kustomization with `wait` waits for."""

from __future__ import annotations

import pytest

from lab.flux.kstatus import CURRENT, IN_PROGRESS, judge_status


@pytest.mark.parametrize(
    ("api_version", "kind", "state"),
    [
        ("notification.toolkit.fluxcd.io/v1beta3", "Alert", CURRENT),
        ("notification.toolkit.fluxcd.io/v1beta3", "Provider", CURRENT),
        ("notification.toolkit.fluxcd.io/v1", "Receiver", IN_PROGRESS),
        ("helm.toolkit.fluxcd.io/v2", "HelmRelease", IN_PROGRESS),
        ("v1", "ConfigMap", CURRENT),
    ],
)
def test_object_without_status(api_version: str, kind: str, state: str) -> None:
    """Flux looks at its own first; Alerts and Providers have no status to wait for."""
    assert state == judge_status({"apiVersion": api_version, "kind": kind, "metadata": {}})

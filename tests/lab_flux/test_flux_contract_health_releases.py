"""One suite for two Fluxes, the lab's and real controllers: expressions in CEL of HelmReleases."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.kubernetes.values import Object
from tests.lab_flux.flux_contract import Flux
from tests.lab_flux.flux_world import HELM_RELEASE, condition
from tests.lab_flux.test_flux_contract_health import (
    EXPECTED,
    PARSING,
    TERMINAL,
    UNFIT,
    check,
)
from tests.lab_flux.test_flux_contract_releases import release

INSTALLED = "Helm install succeeded for release SPACE/{0}.v1 with chart web@1.2.3"
FAILED = "Helm install failed for release SPACE/{0} with chart web@1.2.3: "
RELEASED: dict[str, tuple[Object, tuple[str, str, str]]] = {
    "broken": (
        {"healthCheckExprs": [check("data.key == ")]},
        (
            "False",
            "InvalidCELExpression",
            (
                f"{UNFIT}failed to parse the expression Current: {PARSING}"
                f"'data.key == ': ERROR: <input>:1:13: Syntax error: mismatched input '<EOF>' "
                f"{EXPECTED}\n | data.key == \n | ............^"
            ),
        ),
    ),
    "failed": (
        {"healthCheckExprs": [check("false", failed="data.version == '1.2.3'")]},
        (
            "False",
            "InstallFailed",
            FAILED.format("failed") + "failed early due to stalled resources: "
            "[ConfigMap/SPACE/failed status: 'Failed']",
        ),
    ),
    "current": (
        {"healthCheckExprs": [check("data.version == '1.2.3'")]},
        ("True", "InstallSucceeded", INSTALLED.format("current")),
    ),
    "late": (
        {"healthCheckExprs": [check("data.x == 'x'")], "timeout": "2s"},
        (
            "False",
            "InstallFailed",
            FAILED.format("late") + "timeout waiting for: [ConfigMap/SPACE/late status: "
            "'Unknown': failed to evaluate the CEL expression 'data.x == 'x'': no such key: x]",
        ),
    ),
    "legacy": (
        {"healthCheckExprs": [check("false")], "waitStrategy": {"name": "legacy"}},
        ("True", "InstallSucceeded", INSTALLED.format("legacy")),
    ),
    "unawaited": (
        {"healthCheckExprs": [check("false")], "install": {"disableWait": True}},
        ("True", "InstallSucceeded", INSTALLED.format("unawaited")),
    ),
    "asking": (
        {"dependsOn": [{"name": "broken", "readyExpr": "dep.status.observedGeneration == 1"}]},
        ("True", "InstallSucceeded", INSTALLED.format("asking")),
    ),
    "refused": (
        {"dependsOn": [{"name": "broken", "readyExpr": "false"}]},
        (
            "False",
            "DependencyNotReady",
            "dependency 'SPACE/broken' is not ready according to readyExpr eval",
        ),
    ),
    "confused": (
        {"dependsOn": [{"name": "broken", "readyExpr": "dep.x"}]},
        (
            "False",
            "InvalidCELExpression",
            (
                f"{TERMINAL}terminal error: failed to evaluate dependency broken: CEL expression "
                "output type mismatch: expected bool, got dyn"
            ),
        ),
    ),
}


def until_reason(reason: str) -> Callable[[Object], bool]:
    """Wait for a reason of Ready."""
    return lambda obj: condition(obj, "Ready")[1] == reason


@pytest.mark.usefixtures("helm_tools")
async def test_releases_by_expressions(flux: Flux) -> None:
    """A HelmRelease judges what it installed, and what it depends on, by expressions, too."""
    said: dict[str, tuple[str, str, str]] = {}
    for name, (spec, _) in RELEASED.items():
        await release(flux, name, "web", **spec)
    for name, (_, wanted) in RELEASED.items():
        held = await flux.cluster.until(HELM_RELEASE, name, flux.space, until_reason(wanted[1]))
        status, reason, message = condition(held, "Ready")
        said[name] = status, reason, message.replace(flux.space, "SPACE")

    assert {name: wanted for name, (_, wanted) in RELEASED.items()} == said

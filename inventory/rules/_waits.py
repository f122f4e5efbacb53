"""Findings about what Flux waits for."""

from __future__ import annotations

from inventory.rules._rule import ERROR, WARNING, rule

WAITS = (
    rule(
        "dependency-without-wait",
        WARNING,
        "Other Kustomizations depend on this one, but it has neither wait nor healthChecks: Flux"
        " calls it Ready as soon as its objects are applied, so dependsOn is met before its"
        " releases are installed. On an empty cluster the others start too early and fail.",
        "set spec.wait: true in it, or name what must work in spec.healthChecks",
    ),
    rule(
        "health-check-ignored",
        WARNING,
        "A health check is never made: healthChecks do not count beside wait: true, and"
        " healthCheckExprs only for objects that wait or healthChecks look at. What was meant to be"
        " waited for is not.",
        "drop wait and name everything in healthChecks, or apply the object in this Kustomization",
    ),
    rule(
        "expression-invalid",
        ERROR,
        "An expression in CEL (healthCheckExprs, or readyExpr of dependsOn) does not compile, or"
        " two entries of healthCheckExprs are for the same kind: Flux stalls with"
        " InvalidCELExpression and applies nothing, until it is corrected. Looked at where CEL is"
        " installed: the extra `lab` brings it.",
        "correct the expression; healthCheckExprs know the object's fields by their names,"
        " readyExpr knows self and dep",
    ),
)

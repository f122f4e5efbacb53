"""Checks of expressions in CEL: `healthCheckExprs`, and `readyExpr` of dependencies.

Flux does nothing at all with an object one of whose expressions does not compile
(kustomize-controller and helm-controller, `InvalidCELExpression`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from inventory.cel import CelError, can_compile, compile_condition, parse_expression
from inventory.checks.facts import Facts
from inventory.model import Component, Finding, Release
from inventory.objects import get_mappings, get_text, group_of
from inventory.rules import make_finding

_FIELDS: Final = ("current", "failed", "inProgress")


def check_expressions(facts: Facts) -> Iterator[Finding]:
    """Yield expressions that do not compile, and two of one Kustomization for the same kind."""
    items: list[Component | Release] = [*facts.inventory.components, *facts.inventory.releases]
    for item in items:
        yield from _check_health(facts, item)
        yield from _check_dependencies(facts, item)


def _check_health(facts: Facts, item: Component | Release) -> Iterator[Finding]:
    seen: set[tuple[str, str]] = set()
    for index, check in enumerate(get_mappings(item.raw, "spec", "healthCheckExprs")):
        place = ("spec", "healthCheckExprs", index)
        kind = (group_of(check), get_text(check, "kind"))
        if kind in seen:
            yield _find(facts, item, place, f"a second entry is for {'/'.join(kind).strip('/')}")
        seen.add(kind)
        if not get_text(check, "current"):
            yield _find(facts, item, place, "expression `current` is missing")
        for field in _FIELDS:
            reason = _try(get_text(check, field), is_condition=False)
            if reason:
                yield _find(facts, item, (*place, field), reason)


def _check_dependencies(facts: Facts, item: Component | Release) -> Iterator[Finding]:
    for index, dependency in enumerate(get_mappings(item.raw, "spec", "dependsOn")):
        reason = _try(get_text(dependency, "readyExpr"), is_condition=True)
        if reason:
            yield _find(facts, item, ("spec", "dependsOn", index, "readyExpr"), reason)


def _try(expression: str, *, is_condition: bool) -> str:
    """Say why an expression does not compile; "" where it does, or where nobody can tell."""
    if not expression or "${" in expression or not can_compile():
        return ""
    try:
        if is_condition:
            compile_condition(expression, "self", "dep")
        else:
            parse_expression(expression)
    except CelError as wrong:
        return " ".join(str(wrong).partition("\n")[0].split())
    return ""


def _find(
    facts: Facts, item: Component | Release, place: tuple[str | int, ...], reason: str
) -> Finding:
    message = f"Flux refuses `{item.name}`: {reason}"
    return make_finding("expression-invalid", message, facts.locate(item.position, *place))

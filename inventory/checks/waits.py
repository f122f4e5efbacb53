"""Checks of what Flux waits for: `wait`, `healthChecks`, `healthCheckExprs`.

kustomize-controller `api/v1/kustomization_types.go`: without `wait` and `healthChecks` a
Kustomization is Ready as soon as its objects are applied; with `wait` it ignores `healthChecks` and
looks at its own objects only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from inventory.checks.facts import Facts
from inventory.crds import BUILT_IN_GROUPS
from inventory.flux import HELM_GROUP, KUSTOMIZE_GROUP
from inventory.model import Component, Finding, JsonObject, ObjectRef
from inventory.objects import get_mappings, get_text, group_of, kind_of
from inventory.rules import make_finding

# Kinds that exist long before they work; a ConfigMap or a Namespace works once it is there.
_SLOW_KINDS: Final = frozenset(
    {
        (HELM_GROUP, "HelmRelease"),
        (KUSTOMIZE_GROUP, "Kustomization"),
        ("apps", "Deployment"),
        ("apps", "StatefulSet"),
        ("apps", "DaemonSet"),
        ("batch", "Job"),
    }
)
_MAX_NAMES: Final = 3


def check_waits(facts: Facts) -> Iterator[Finding]:
    """Yield dependencies that are met too early, and health checks that nobody makes."""
    waiting = _waiting(facts)
    for component in facts.inventory.components:
        names = waiting.get((component.namespace, component.name), ())
        if names and component.is_local and not (component.wait or component.health_checks):
            yield from _early(facts, component, names)
        yield from _ignored(facts, component)


def _waiting(facts: Facts) -> dict[tuple[str, str], list[str]]:
    """Return who waits for each Kustomization without an expression of his own."""
    found: dict[tuple[str, str], list[str]] = {}
    for component in facts.inventory.components:
        written = get_mappings(component.raw, "spec", "dependsOn")
        for key, item in zip(component.depends_on, written, strict=True):
            if not get_text(item, "readyExpr"):
                found.setdefault(key, []).append(component.name)
    return found


def _early(facts: Facts, component: Component, names: list[str]) -> Iterator[Finding]:
    slow = [item for item in component.objects if _is_slow(item)]
    if not slow:
        return
    first = min(slow, key=lambda item: (item.group, item.kind) not in _SLOW_KINDS)
    shown = ", ".join(sorted(names)[:_MAX_NAMES])
    others = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    works = f"and {len(slow) - 1} more work" if len(slow) > 1 else "works"
    message = (
        f"`{component.name}` counts as ready before {first} {works},"
        f" though others depend on it: `{shown}{others}`"
    )
    place = facts.locate(component.position, "spec", "wait")
    yield make_finding("dependency-without-wait", message, place)


def _is_slow(item: ObjectRef) -> bool:
    return (item.group, item.kind) in _SLOW_KINDS or item.group not in BUILT_IN_GROUPS


def _ignored(facts: Facts, component: Component) -> Iterator[Finding]:
    if component.wait and not all(_is_own(component, item) for item in component.health_checks):
        message = f"healthChecks of `{component.name}` are ignored, since it sets wait"
        place = facts.locate(component.position, "spec", "healthChecks")
        yield make_finding("health-check-ignored", message, place)
    for index, item in enumerate(get_mappings(component.raw, "spec", "healthCheckExprs")):
        kind = get_text(item, "kind")
        if not component.wait and not component.health_checks:
            reason = "it sets neither wait nor healthChecks"
        elif not _is_checked(component, kind, group_of(item)):
            reason = "it checks no object of that kind"
        else:
            continue
        message = f"expression of `{component.name}` for {kind} is never evaluated: {reason}"
        place = facts.locate(component.position, "spec", "healthCheckExprs", index)
        yield make_finding("health-check-ignored", message, place)


def _is_own(component: Component, check: JsonObject) -> bool:
    """Say whether a health check is for an object that `wait` looks at anyway."""
    namespace = get_text(check, "namespace", default=component.namespace)
    wanted = (group_of(check), kind_of(check), namespace, get_text(check, "name"))
    return any(item.identity == wanted for item in component.objects)


def _is_checked(component: Component, kind: str, group: str) -> bool:
    if not component.is_local or component.build_failed:
        return True  # what it applies is not known here
    checked = {(group_of(item), kind_of(item)) for item in component.health_checks}
    if component.wait:
        checked = {(item.group, item.kind) for item in component.objects}
    return (group, kind) in checked

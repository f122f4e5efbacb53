"""Health by expressions in CEL: `healthCheckExprs`, and `readyExpr` of dependencies.

Follows fluxcd/pkg `runtime/cel/status_reader.go` and `status_evaluator.go`, and `evalReadyExpr` of
kustomize-controller and helm-controller, both of Flux 2.9.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from inventory.cel import CelError, Expression, compile_condition, parse_expression
from lab.flux.kstatus import (
    CURRENT,
    FAILED,
    IN_PROGRESS,
    UNKNOWN,
    judge_status,
)
from lab.kubernetes.values import Object, dig, maps, name_of, namespace_of, text

__all__ = ["Health", "InvalidExpressionError", "Verdict", "ask_dependency", "read_health"]

# As both controllers begin the message of a Stalled object.
_TERMINAL = "Reconciliation failed terminally due to configuration error"


class InvalidExpressionError(Exception):
    """An expression does not compile; the text is that of the Ready condition."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{_TERMINAL}: {reason}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an object's status is, and why it cannot be told."""

    status: str
    error: str = ""

    def __str__(self) -> str:
        """As a failed wait lists it."""
        return f"status: '{self.status}'" + (f": {self.error}" if self.error else "")


@dataclass(frozen=True, slots=True)
class _Evaluator:
    """The expressions for one kind, in the order in which they are asked."""

    expressions: tuple[tuple[str, Expression], ...]

    def judge(self, obj: Object) -> Verdict:
        observed = dig(obj, "status", "observedGeneration")
        if isinstance(observed, int) and observed != dig(obj, "metadata", "generation"):
            return Verdict(IN_PROGRESS)
        for status, expression in self.expressions:
            try:
                holds = expression.decide(obj)
            except CelError as wrong:
                return Verdict(UNKNOWN, str(wrong))
            if holds:
                return Verdict(status)
        return Verdict(IN_PROGRESS)


@dataclass(frozen=True, slots=True)
class Health:
    """How the health of objects is judged: kstatus, but for kinds with expressions."""

    evaluators: Mapping[tuple[str, str], _Evaluator]

    def judge(self, obj: Object) -> Verdict:
        """Judge one object."""
        group = text(obj, "apiVersion").rpartition("/")[0]
        own = self.evaluators.get((group, text(obj, "kind"))) or self.evaluators.get((group, ""))
        if own is None or dig(obj, "metadata", "deletionTimestamp"):
            return Verdict(judge_status(obj))
        return own.judge(obj)


def read_health(obj: Object) -> Health:
    """Read `spec.healthCheckExprs`.

    Raises:
        InvalidExpressionError: one does not compile, or two are for the same kind.
    """
    evaluators: dict[tuple[str, str], _Evaluator] = {}
    for index, check in enumerate(maps(obj, "spec", "healthCheckExprs")):
        group, kind = text(check, "apiVersion").rpartition("/")[0], text(check, "kind")
        if (group, kind) in evaluators:
            shown = f"{kind}.{group}" if group else kind
            raise InvalidExpressionError(
                f"duplicate custom health check for GroupKind {shown} at healthchecks[{index}]"
            )
        try:
            evaluators[group, kind] = _make_evaluator(check)
        except CelError as wrong:
            raise InvalidExpressionError(
                f"failed to create custom status evaluator for healthchecks[{index}]: {wrong}"
            ) from wrong
    return Health(evaluators)


def ask_dependency(expression: str, obj: Object, dependency: Object) -> str:
    """Say why a dependency is not ready for a `readyExpr`; "" where it is.

    The expression sees both objects without their apiVersion and kind.

    Raises:
        InvalidExpressionError: it does not compile.
    """
    try:
        condition = compile_condition(expression, "self", "dep")
    except CelError as wrong:
        name = name_of(dependency)
        raise InvalidExpressionError(
            f"terminal error: failed to evaluate dependency {name}: {wrong}"
        ) from wrong
    try:
        is_ready = condition.decide({"self": _strip(obj), "dep": _strip(dependency)})
    except CelError as wrong:
        return str(wrong)
    shown = f"{namespace_of(dependency)}/{name_of(dependency)}"
    return "" if is_ready else f"dependency '{shown}' is not ready according to readyExpr eval"


def _make_evaluator(check: Object) -> _Evaluator:
    if not text(check, "current"):
        raise CelError("expression Current not specified")
    parsed: dict[str, Expression] = {}
    for field in ("current", "failed", "inProgress"):
        if written := text(check, field):
            try:
                parsed[field] = parse_expression(written)
            except CelError as wrong:
                shown = field[0].upper() + field[1:]
                raise CelError(f"failed to parse the expression {shown}: {wrong}") from wrong
    asked = (("inProgress", IN_PROGRESS), ("failed", FAILED), ("current", CURRENT))
    return _Evaluator(tuple((status, parsed[field]) for field, status in asked if field in parsed))


def _strip(obj: Object) -> Object:
    return {key: value for key, value in obj.items() if key not in {"apiVersion", "kind"}}

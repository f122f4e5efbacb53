"""One suite for two Fluxes, the lab's and real controllers: expressions in CEL.

A timeout of Flux is 30 s at least: objects that wait for it do so side by side.
"""

from __future__ import annotations

import re

import pytest

from lab.kubernetes.values import Json, Object, dig, number
from tests.lab_flux.flux_contract import Flux
from tests.lab_flux.flux_world import condition, has_failed, is_ready

TERMINAL = "Reconciliation failed terminally due to configuration error: "
UNFIT = f"{TERMINAL}failed to create custom status evaluator for healthchecks[0]: "
EXPECTED = (
    "expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, "
    "NUM_UINT, STRING, BYTES, IDENTIFIER}"
)
PARSING = "failed to parse the CEL expression "
ASKING = f"{TERMINAL}terminal error: failed to evaluate dependency b: "
LATE = "timeout waiting for: [ConfigMap/SPACE/one status: "
READY = ("True", "ReconciliationSucceeded", "Applied revision")


def check(current: str = "true", kind: str = "ConfigMap", **more: str) -> Object:
    """An entry of healthCheckExprs."""
    return {"apiVersion": "v1", "kind": kind, "current": current, **more}


def late(expression: str, why: str) -> tuple[str, str, str]:
    """What Ready says where an expression has no value."""
    failed = f"failed to evaluate the CEL expression '{expression}': {why}"
    return "False", "HealthCheckFailed", f"{LATE}'Unknown': {failed}]"


BROKEN: list[tuple[list[Json], str]] = [
    (
        [check("data.a == ")],
        (
            f"{UNFIT}failed to parse the expression Current: {PARSING}"
            f"'data.a == ': ERROR: <input>:1:11: Syntax error: mismatched input '<EOF>' {EXPECTED}"
            "\n | data.a == \n | ..........^"
        ),
    ),
    (
        [check(failed="a b")],
        (
            f"{UNFIT}failed to parse the expression Failed: {PARSING}"
            "'a b': ERROR: <input>:1:3: Syntax error: extraneous input 'b' expecting <EOF>"
            "\n | a b\n | ..^"
        ),
    ),
    (
        [check(inProgress="has(data)")],
        (
            f"{UNFIT}failed to parse the expression InProgress: {PARSING}"
            "'has(data)': ERROR: <input>:1:5: invalid argument to has() macro"
            "\n | has(data)\n | ....^"
        ),
    ),
    (
        [check("data.a.matches('(')")],
        (
            f"{UNFIT}failed to parse the expression Current: failed to create CEL program: "
            "error parsing regexp: missing closing ): `(`"
        ),
    ),
    ([check("")], f"{UNFIT}expression Current not specified"),
    (
        [check(kind="Secret"), check(), check()],
        f"{TERMINAL}duplicate custom health check for GroupKind ConfigMap at healthchecks[2]",
    ),
]
JUDGED: dict[str, tuple[Object, tuple[str, str, str]]] = {
    "current": (check("data.a == 'b'"), READY),
    "group": (check("data.a == 'b'", kind=""), READY),
    "optional": (check("metadata.?x.?y.orValue('a') == 'a' && data.?a.hasValue()"), READY),
    "extended": (
        check(
            "data.a.upperAscii() == 'B' && sets.contains(['b'], [data.a])"
            " && base64.encode(b'x') == 'eA=='"
        ),
        READY,
    ),
    "numbers": (check("size(data) == 1.0"), READY),
    "failed": (
        check("data.a == 'c'", failed="data.a == 'b'"),
        (
            "False",
            "HealthCheckFailed",
            "failed early due to stalled resources: [ConfigMap/SPACE/one status: 'Failed']",
        ),
    ),
    "first": (
        check("data.a == 'b'", inProgress="data.a == 'b'", failed="data.a == 'b'"),
        ("False", "HealthCheckFailed", f"{LATE}'InProgress']"),
    ),
    "none": (check("data.a == 'x'"), ("False", "HealthCheckFailed", f"{LATE}'InProgress']")),
    "key": (check("data.x == 'x'"), late("data.x == 'x'", "no such key: x")),
    "early": (check("data.a == 'b'", failed="data.x == 1"), late("data.x == 1", "no such key: x")),
    "field": (check("has(status.x)"), late("has(status.x)", "no such attribute(s): status.x")),
    "deep": (check("x.y.z == 1"), late("x.y.z == 1", "no such attribute(s): x.y.z")),
    "call": (check("foo(1)"), late("foo(1)", "no such overload: foo")),
    "member": (check("data.a.foo() == 'x'"), late("data.a.foo() == 'x'", "no such overload")),
    "kinds": (check("data.a < 1"), late("data.a < 1", "no such overload")),
    "inner": (check("data.a.b == 'x'"), late("data.a.b == 'x'", "no such key: b")),
    "zero": (check("1/0 == 1"), late("1/0 == 1", "division by zero")),
    "pattern": (
        check("data.a.matches(data.a + '(')"),
        late("data.a.matches(data.a + '(')", "error parsing regexp: missing closing ): `b(`"),
    ),
    "index": (check("[1][2] == 1"), late("[1][2] == 1", "index out of bounds: 2")),
    "number": (
        check("int(data.a) == 1"),
        late("int(data.a) == 1", "type conversion error from 'string' to 'int'"),
    ),
    "text": (
        check("data.a"),
        (
            "False",
            "HealthCheckFailed",
            f"{LATE}'Unknown': failed to evaluate CEL expression as boolean: 'data.a']",
        ),
    ),
}


def settle(said: tuple[str, str, str]) -> tuple[str, str, str]:
    """Leave out of a condition what is another every time."""
    status, reason, message = said
    message = re.sub(r"^health check failed after [\d.msµ]+: ", "", message)
    return status, reason, re.sub(r"^(Applied revision): .*", r"\1", message)


def is_observed(obj: Object) -> bool:
    """Tell whether a failure is that of the newest spec; the controller writes that last."""
    observed = dig(obj, "status", "observedGeneration")
    return has_failed(obj) and observed == number(obj, "metadata", "generation")


def is_said(obj: Object) -> bool:
    """Tell whether an attempt has ended."""
    return is_ready(obj) or has_failed(obj)


@pytest.mark.parametrize(("written", "message"), BROKEN)
async def test_expression_that_does_not_compile(
    flux: Flux, written: list[Json], message: str
) -> None:
    """Nothing is applied; the object is observed, stalled, and left alone."""
    await flux.push(one=flux.settings("one", a="b"))
    await flux.begin("a", "./a", wait=True, healthCheckExprs=written)
    failed = await flux.until("a", is_observed)

    wanted = "InvalidCELExpression", message
    assert ("False", *wanted) == condition(failed, "Ready")
    assert ("True", *wanted) == condition(failed, "Stalled")
    assert ("", "", "") == condition(failed, "Reconciling")
    assert await flux.data_of("one") is None


async def test_expression_that_was_mended(flux: Flux) -> None:
    """A new generation is tried again, and is not stalled."""
    await flux.push(one=flux.settings("one", a="b"))
    await flux.begin("a", "./a", wait=True, healthCheckExprs=[check("(")])
    await flux.until("a", has_failed)
    await flux.begin("a", "./a", wait=True, healthCheckExprs=[check("data.a == 'b'")])
    done = await flux.until("a", is_ready)

    assert ("", "", "") == condition(done, "Stalled")
    assert "True" == condition(done, "Healthy")[0]


async def test_health_by_expressions(flux: Flux) -> None:
    """In progress, failed, current, in this order; an error is an unknown status."""
    await flux.push(one=flux.settings("one", a="b"))
    for name, (written, _) in JUDGED.items():
        spec: Object = {"wait": True, "prune": False, "timeout": "3s"}
        await flux.begin(name, "./a", **spec, healthCheckExprs=[written])
    said = {name: settle(await flux.tell(name, is_said)) for name in JUDGED}

    assert {name: wanted for name, (_, wanted) in JUDGED.items()} == said


ASKED: dict[str, tuple[str, str, str]] = {
    "true": ("True", "ReconciliationSucceeded", "Applied revision"),
    "false": (
        "False",
        "DependencyNotReady",
        "dependency 'SPACE/b' is not ready according to readyExpr eval",
    ),
    "dep.metadata.name == 'b' && self.spec.path == './a'": READY,
    "dep.status.conditions.exists(c, c.type == 'Ready' && c.status == 'False')": READY,
    "dep.status.x == 1": (
        "False",
        "DependencyNotReady",
        "failed to evaluate the CEL expression 'dep.status.x == 1': no such key: x",
    ),
    "dep.kind == 'Kustomization'": (
        "False",
        "DependencyNotReady",
        "failed to evaluate the CEL expression 'dep.kind == 'Kustomization'': no such key: kind",
    ),
    "dep.metadata.name.matches('a**')": (
        "False",
        "InvalidCELExpression",
        (
            f"{ASKING}failed to create CEL program: error parsing regexp: "
            "invalid nested repetition operator: `**`"
        ),
    ),
    "dep.metadata.name": (
        "False",
        "InvalidCELExpression",
        (f"{ASKING}CEL expression output type mismatch: expected bool, got dyn"),
    ),
    "foo == 1": (
        "False",
        "InvalidCELExpression",
        (
            f"{ASKING}{PARSING}"
            "'foo == 1': ERROR: <input>:1:1: undeclared reference to 'foo' (in container "
            "'')\n | foo == 1\n | ^"
        ),
    ),
    "'a' == 1": (
        "False",
        "InvalidCELExpression",
        (
            f"{ASKING}{PARSING}"
            "''a' == 1': ERROR: <input>:1:5: found no matching overload for '_==_' applied "
            "to '(string, int)'\n | 'a' == 1\n | ....^"
        ),
    ),
}


async def test_dependency_by_expression(flux: Flux) -> None:
    """An expression stands instead of Ready; it sees both objects, checked before."""
    await flux.push(one=flux.settings("one", a="b"))
    await flux.begin("b", "./none")
    await flux.until("b", has_failed)
    for index, expression in enumerate(ASKED):
        depends: Json = [{"name": "b", "readyExpr": expression}]
        await flux.begin(f"a{index}", "./a", prune=False, dependsOn=depends)
    said = {
        expression: settle(await flux.tell(f"a{index}", is_said))
        for index, expression in enumerate(ASKED)
    }

    assert ASKED == said

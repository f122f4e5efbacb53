"""Patterns in CEL: found where they stand as they are, and explained as Go does."""

from __future__ import annotations

import pytest

from inventory.cel import CelError, compile_condition, parse_expression
from inventory.cel_patterns import list_patterns


@pytest.mark.parametrize(
    ("expression", "patterns"),
    [
        ("a.matches('x')", ["'x'"]),
        ("matches(a.b, \"x\") && !c.d().matches(r'\\d')", ['"x"', "r'\\d'"]),
        ("[a].all(e, e.matches('''it's'''))", ["'''it's'''"]),
        ("matches(f(a, 'y'), 'x')", ["'x'"]),
        ("a.matches(b) || matches(a, b.c)", []),
        ("a.matches('x' + b) || a.matches('x', 'y') || matches('x')", []),
        ("a == 'b.matches(\"(\")' // c.matches('(')", []),
        ("a.matches", []),
        ("a.matches('\\'(')", ["'\\'('"]),
        ("a.matches(r'\\')", ["r'\\'"]),
    ],
)
def test_patterns_are_found(expression: str, patterns: list[str]) -> None:
    """Only literals that are the pattern itself, never what stands in a text or comment."""
    assert patterns == [*list_patterns(expression)]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("'('", "missing closing ): `(`"),
        ("'[a'", "missing closing ]: `[a`"),
        ("')'", "unexpected ): `)`"),
        ("'*'", "missing argument to repetition operator: `*`"),
        ("'a**'", "invalid nested repetition operator: `**`"),
        ("'a{2000}'", "invalid repeat count: `{2000}`"),
        ("r'\\y'", "invalid escape sequence: `\\y`"),
        ("'[z-a]'", "invalid character class range: `z-a`"),
        ("'(?P<n'", "invalid named capture: `(?P<n`"),
        ("'(?!a)'", "invalid or unsupported Perl syntax: `(?!`"),
        ("'a\\\\'", "trailing backslash at end of expression: ``"),
    ],
)
def test_wrong_patterns_do_not_compile(pattern: str, said: str) -> None:
    """Neither as health nor as readiness, before any object is looked at."""
    pytest.importorskip("cel_expr_python")
    wanted = f"failed to create CEL program: error parsing regexp: {said}"

    for compile_it in (parse_expression, lambda text: compile_condition(text, "dep")):
        with pytest.raises(CelError) as caught:
            compile_it(f"has(dep.x) && matches('a', {pattern})")

        assert wanted == str(caught.value)


def test_patterns_of_objects_fail_at_evaluation() -> None:
    """What is known only then is told then."""
    pytest.importorskip("cel_expr_python")
    expression = parse_expression("'a'.matches(x)")

    with pytest.raises(CelError, match=r"evaluate .*: error parsing regexp: missing closing \)"):
        expression.decide({"x": "("})

"""Expressions of a repository: as Go reads them, in bounded time."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory.regexes import _Compiler, compile_pattern

ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "\\w", "a|b", "^", "$", ""])
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: (
        st.builds("({}){}".format, inner, st.sampled_from(["", "?", "{2}", "{0,2}", "+"]))
        | st.builds("{}{}".format, inner, inner)
    ),
    max_leaves=5,
)


@given(EXPRESSIONS, st.text("abc", max_size=6))
@settings(max_examples=300, deadline=None)
def test_all_ways_at_once_find_what_backtracking_finds(expression: str, text: str) -> None:
    """Both ways of matching agree wherever Python's own is quick."""
    pattern = _Compiler(expression, re.NOFLAG).compile()
    plain = re.compile(expression.replace("$", "\\Z"), re.DOTALL)

    assert pattern.is_in(text) == (plain.search(text) is not None)
    assert pattern.is_all_of(text) == (plain.fullmatch(text) is not None)


@pytest.mark.parametrize(
    ("expression", "text", "is_in"),
    [
        (r"(.*/)?(clusterenv|.*\.secret)\.yaml$", "clusters/main/clusterenv.yaml", True),
        (r"((?i)(pass|(secret|key)+))", "userKEY", True),
        (r"((?i)(pass|^data$|secret($|[^uU])))", "PASSword", True),
        (r"((?i)(pass|^data$|secret($|[^uU])))|KEY", "secretURL", False),
        (r"((?i)pass)|KEY", "key", False),
        (r"(?i)(data|stringData)", "STRINGDATA", True),
        (r"(?:[^/]+/)*talos/(.+)\.yaml", "a/b/talos/x.yaml", True),
        (r"(?:[^/]+/)*talos/(.+)\.yaml", "a/b/talos.yaml", False),
        (r"([[:digit:]]+-)+x", "12-3-x", True),
    ],
)
def test_expressions_of_sops_rules_are_read(expression: str, text: str, *, is_in: bool) -> None:
    """Groups, flags inside a group and named classes mean what they mean to Go."""
    pattern = compile_pattern(expression)

    assert pattern is not None
    assert pattern.is_in(text) is is_in


@pytest.mark.parametrize("expression", ["(", "a)", "(a)\\1(b)+", "(a{1000}){1000}", "*", "(?=a)"])
def test_what_go_refuses_is_no_pattern(expression: str) -> None:
    """An expression that cannot be followed is told apart from one that does not match."""
    assert compile_pattern(expression) is None


@pytest.mark.parametrize(
    "expression", ["^(([a-z])+)+$", "(.*)*x(.*)*y", "(a|a|a)*b", ".*a.*a.*a.*a.*!"]
)
def test_no_expression_takes_for_ever(expression: str) -> None:
    """Expressions that backtrack without end elsewhere are answered at once."""
    began = time.process_time()

    pattern = compile_pattern(expression)

    assert pattern is not None
    assert not pattern.is_in("a" * 2000 + "-")
    assert time.process_time() - began < 2

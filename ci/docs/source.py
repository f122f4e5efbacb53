"""What only the source tells: names with placeholders, strings below constants."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from enum import Enum

__all__ = ["describe_members", "parse_function", "pattern_of", "pattern_of_property"]

# Attributes that say nothing by themselves: the object's name is the placeholder then.
_PLAIN = frozenset({"name", "hostname", "value"})


def describe_members(enum: type[Enum]) -> Mapping[str, str]:
    """Return the docstring below each member of an enumeration, by the member's name."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(enum))).body[0]
    assert isinstance(tree, ast.ClassDef)  # noqa: S101 (narrows what ast returns)
    found: dict[str, str] = {}
    for before, after in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(before, ast.Assign)
            and isinstance(target := before.targets[0], ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        ):
            found[target.id] = str(after.value.value)
    return found


def parse_function(function: object) -> ast.FunctionDef | ast.AsyncFunctionDef:
    """Return the syntax tree of a function."""
    assert inspect.isfunction(function)  # noqa: S101 (narrows)
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef)  # noqa: S101 (narrows)
    return tree


def pattern_of_property(owner: type, name: str) -> str:
    """Return the text that a property returns, with placeholders; empty without such a text."""
    getter = inspect.getattr_static(owner, name).fget
    returned = [node for node in ast.walk(parse_function(getter)) if isinstance(node, ast.Return)]
    return pattern_of(returned[-1].value) if returned else ""


def pattern_of(expression: ast.expr | None) -> str:
    """Return a text or f-string with `<placeholder>` for each value; empty for anything else."""
    match expression:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(pattern_of(part) for part in parts)
        case ast.FormattedValue(value=value):
            return f"<{_name_value(value)}>"
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return pattern_of(left) + pattern_of(right)
        case _:
            return ""


def _name_value(value: ast.expr) -> str:
    match value:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=owner, attr=name):
            return _name_value(owner) if name in _PLAIN else name
        case ast.Subscript(value=owner) | ast.Call(func=owner):
            return _name_value(owner)
        case _:
            return "value"

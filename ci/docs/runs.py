"""The page of runs: their parts in order, and the steps and gates of each."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from ci.docs.markdown import first_sentence, make_prose
from ci.docs.nodes import find_gates, find_steps, key_of
from ci.docs.source import parse_function
from lifecycle.runs import bootstrap

__all__ = ["make_runs"]


def make_runs() -> str:
    """Return the page of runs."""
    parts = "".join(
        _describe_part(name, function) for name, function in _find_parts(bootstrap.plan_bootstrap)
    )
    return (
        "# Runs\n\n"
        "A run is one walk through a plan.\n"
        "Steps and gates wait for what they come after and for nothing else, so those that do not"
        " need each other go on side by side.\n\n"
        f"## bootstrap\n\n{first_sentence(bootstrap.__doc__)}\n{parts}"
    )


def _find_parts(function: object) -> list[tuple[str, str]]:
    """Return name and function of each part, in the order in which the plan is made."""
    found: list[tuple[str, str]] = []
    for statement in parse_function(function).body:
        match statement:
            case ast.Assign(
                targets=[ast.Subscript(value=ast.Name(id="parts"), slice=ast.Constant(value=name))],
                value=ast.Call(func=ast.Name(id=maker)),
            ):
                found.append((str(name), maker))
            case _:
                pass
    return found


def _describe_part(name: str, maker: str) -> str:
    function = getattr(bootstrap, maker)
    lines = "".join(f"1. {_LINKS[node]}\n" for node in _list_nodes(function))
    return f"\n### {name}\n\n{make_prose(function.__doc__)}\n\n{lines}"


def _list_nodes(function: object) -> list[str]:
    """Return the classes of the steps and gates that a function returns, in that order."""
    held: dict[str, list[str]] = {}  # what each local name holds
    found: list[str] = []
    for statement in sorted(_find_statements(function), key=lambda node: node.lineno):
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                held[name] = _resolve(value, held)
            case ast.AugAssign(target=ast.Name(id=name), value=value):
                held[name] = held.get(name, []) + _resolve(value, held)
            case ast.Return(value=ast.expr() as value):
                found += _resolve(value, held)
            case _:
                pass
    return list(dict.fromkeys(found))


def _find_statements(function: object) -> list[ast.stmt]:
    return [node for node in ast.walk(parse_function(function)) if isinstance(node, ast.stmt)]


def _resolve(expression: ast.expr, held: Mapping[str, Sequence[str]]) -> list[str]:
    names = [node for node in ast.walk(expression) if isinstance(node, ast.Name)]
    found: list[str] = []
    for name in sorted(names, key=lambda node: (node.lineno, node.col_offset)):
        found += [name.id] if name.id in _LINKS else held.get(name.id, ())
    return found


def _make_links() -> Mapping[str, str]:
    links: dict[str, str] = {}
    for word, nodes in (("step", find_steps()), ("gate", find_gates())):
        for node in nodes:
            links[node.__name__] = f"{word} [{key_of(node)}]({word}s.md#{key_of(node)})"
    return links


_LINKS = _make_links()

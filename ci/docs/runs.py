"""The page of runs: their parts in order, and the steps and gates of each."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping, Sequence
from types import FunctionType

from ci.docs.markdown import first_sentence, make_prose
from ci.docs.nodes import find_gates, find_steps, key_of
from ci.docs.source import parse_function
from lifecycle.runs import bootstrap

__all__ = ["make_runs"]


def make_runs() -> str:
    """Return the page of runs."""
    return (
        "# Runs\n\n"
        "A run is one walk through a plan.\n"
        "Steps and gates wait for what they come after and for nothing else, so those that do not"
        " need each other go on side by side.\n\n"
        f"## bootstrap\n\n{first_sentence(bootstrap.__doc__)}\n"
        + "".join(_describe_parts(bootstrap.plan_bootstrap))
    )


def _describe_parts(function: object) -> Iterator[str]:
    """Yield the section of each `parts["<name>"] = ...`, in the order of the text."""
    held: dict[str, list[str]] = {}
    for statement in _find_statements(function):
        match statement:
            case ast.Assign(
                targets=[
                    ast.Subscript(value=ast.Name(id="parts"), slice=ast.Constant(value=str(name)))
                ],
                value=value,
            ):
                prose = "\n\n".join(make_prose(maker.__doc__) for maker in _find_makers(value))
                nodes = dict.fromkeys(_resolve(value, held))
                lines = "".join(f"1. {_LINKS[node]}\n" for node in nodes)
                yield f"\n### {name}\n\n{prose}\n\n{lines}"
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                held[name] = _resolve(value, held)
            case _:
                pass


def _find_makers(expression: ast.expr) -> list[FunctionType]:
    """Return the functions that an expression calls for a list of steps and gates."""
    names = [node.id for node in ast.walk(expression) if isinstance(node, ast.Name)]
    return [maker for name in names if (maker := _find_maker(name))]


def _find_maker(name: str) -> FunctionType | None:
    function = getattr(bootstrap, name, None)
    if inspect.isfunction(function) and function.__annotations__.get("return") == "list[Node]":
        return function
    return None


def _list_nodes(function: object) -> list[str]:
    """Return the classes of the steps and gates that a function returns, in that order."""
    held: dict[str, list[str]] = {}  # what each local name holds
    found: list[str] = []
    for statement in _find_statements(function):
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
    found = [node for node in ast.walk(parse_function(function)) if isinstance(node, ast.stmt)]
    return sorted(found, key=lambda node: node.lineno)


def _resolve(expression: ast.expr, held: Mapping[str, Sequence[str]]) -> list[str]:
    names = [node for node in ast.walk(expression) if isinstance(node, ast.Name)]
    found: list[str] = []
    for name in sorted(names, key=lambda node: (node.lineno, node.col_offset)):
        maker = _find_maker(name.id)
        if name.id in _LINKS:
            found.append(name.id)
        elif maker:
            found += _list_nodes(maker)
        else:
            found += held.get(name.id, ())
    return found


def _make_links() -> Mapping[str, str]:
    links: dict[str, str] = {}
    for word, nodes in (("step", find_steps()), ("gate", find_gates())):
        for node in nodes:
            links[node.__name__] = f"{word} [{key_of(node)}]({word}s.md#{key_of(node)})"
    return links


_LINKS = _make_links()

"""Prints what has grown too large: `python -m ci.sizes`. It judges nothing; people do.

The bounds are the house style's: modules under 300 lines, functions with a median under 10 lines
and a 90th percentile under 30, none over 60.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

__all__ = ["Function", "Module", "main", "measure_module"]

_ROOT = Path(__file__).resolve().parents[1]
_PACKAGES = ("lifecycle", "inventory", "lab", "ci", "tests")
_MODULE_LINES = 300
_FUNCTION_LINES = 60
_GENERATED = ("_pb2.py", "_grpc.py")


@dataclass(frozen=True, slots=True)
class Function:
    """A function or method: where it is and how many lines it has, decorators left out."""

    path: str
    line: int
    name: str
    lines: int


@dataclass(frozen=True, slots=True)
class Module:
    """A file: how many lines it has, and its functions."""

    path: str
    lines: int
    functions: tuple[Function, ...]


def main() -> None:
    """Print the outliers, then one line of numbers for each package."""
    for package in _PACKAGES:
        modules = list(_measure_package(package))
        for module in modules:
            _print_outliers(module)
        _print_numbers(package, modules)


def measure_module(path: str, text: str) -> Module:
    """Return the sizes of a module; nested functions count for themselves and their owner."""
    functions = tuple(
        Function(path, node.lineno, node.name, (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return Module(path, len(text.splitlines()), functions)


def _measure_package(package: str) -> Iterator[Module]:
    for file in sorted((_ROOT / package).rglob("*.py")):
        if not file.name.endswith(_GENERATED):
            path = file.relative_to(_ROOT).as_posix()
            yield measure_module(path, file.read_text(encoding="utf-8"))


def _print_outliers(module: Module) -> None:
    if module.lines > _MODULE_LINES:
        print(f"{module.path}:1: module has {module.lines} lines")
    for function in module.functions:
        if function.lines > _FUNCTION_LINES:
            print(f"{function.path}:{function.line}: {function.name} has {function.lines} lines")


def _print_numbers(package: str, modules: list[Module]) -> None:
    lengths = [function.lines for module in modules for function in module.functions]
    lines = [module.lines for module in modules]
    if len(lengths) > 1:  # quantiles needs two
        middle, tail = median(lengths), quantiles(lengths, n=10)[-1]
        print(
            f"{package}: {sum(lines)} lines in {len(modules)} modules, longest {max(lines)};"
            f" {len(lengths)} functions, median {middle:g}, 90th percentile {tail:.0f},"
            f" longest {max(lengths)}"
        )


if __name__ == "__main__":
    main()

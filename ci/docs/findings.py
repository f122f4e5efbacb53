"""The page of findings: what is wrong or risky in a repository."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping

import inventory
from ci.docs.markdown import escape, make_prose
from ci.docs.source import pattern_of
from inventory.rules import RULES, Rule
from inventory.rules._rule import ERROR
from lifecycle.gates.repository import _CURED_BY_THE_RUN, _LATER

__all__ = ["make_findings"]


def make_findings() -> str:
    """Return the page of findings."""
    messages = _collect_messages()
    head = (
        "# Findings\n\n"
        "A finding is something wrong or risky in the cluster repository, with"
        " `path:line:column`.\n"
        "The gate [repository-is-sound](gates.md#repository-is-sound) refuses a bootstrap for"
        " errors; `--accept` with the name of the component, of the HelmRelease or of the finding"
        " goes on without it.\n"
    )
    return head + "".join(_describe(rule, messages.get(rule.id, "")) for rule in RULES.values())


def _describe(rule: Rule, message: str) -> str:
    lines = [f"- Severity: {rule.severity.value}; {_describe_effect(rule)}."]
    if message:
        lines.append(f"- Says: {escape(message)}")
    lines.append(f"- Repair: {escape(rule.repair)}.")
    listed = "\n".join(lines)
    example = f"```yaml\n{rule.example}\n```"
    prose = escape(make_prose(rule.explanation))
    return f"\n## {rule.id}\n\n{prose}\n\n{listed}\n\n{example}\n"


def _describe_effect(rule: Rule) -> str:
    if rule.id in _CURED_BY_THE_RUN:
        return "a bootstrap brings itself what is missing"
    if rule.id in _LATER:
        return "a bootstrap goes on, since it holds upgrades back"
    return "a bootstrap is refused" if rule.severity is ERROR else "a bootstrap goes on"


def _collect_messages() -> Mapping[str, str]:
    """Return the first message that the checks make for each rule, with placeholders."""
    found: dict[str, str] = {}
    for info in pkgutil.walk_packages(inventory.__path__, "inventory."):
        tree = ast.parse(inspect.getsource(importlib.import_module(info.name)))
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                for rule, message in _find_messages(function):
                    found.setdefault(rule, message)
    return found


def _find_messages(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    """Yield rule and message of each finding; a message may have been put into a name before."""
    names: dict[str, str] = {}
    for node in sorted(_statements(function), key=lambda node: (node.lineno, node.col_offset)):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                names[name] = pattern_of(value)
            case ast.Call(
                func=ast.Name(id="make_finding"), args=[ast.Constant(value=str(rule)), said, *_]
            ):
                text = names.get(said.id, "") if isinstance(said, ast.Name) else pattern_of(said)
                if text:
                    yield rule, text
            case _:
                pass


def _statements(function: ast.FunctionDef) -> list[ast.Assign | ast.Call]:
    return [node for node in ast.walk(function) if isinstance(node, ast.Assign | ast.Call)]

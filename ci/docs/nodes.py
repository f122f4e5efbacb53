"""The pages of steps and gates."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from dataclasses import MISSING, fields, is_dataclass
from datetime import timedelta
from types import ModuleType

import lifecycle.gates
import lifecycle.steps
from ci.docs.markdown import escape, first_sentence, make_prose
from ci.docs.source import pattern_of_property
from lifecycle.engine import Patience

__all__ = ["find_gates", "find_steps", "key_of", "make_gates", "make_steps", "name_of"]

_MINUTES_SHOWN = 120  # above that, hours


def make_steps() -> str:
    """Return the page of steps."""
    head = (
        "# Steps\n\n"
        "A step is one change.\n"
        "It probes whether the change is needed, makes it, and probes again until the effect is"
        " seen.\n"
        "The names are the keys of the journal and of `--json`; [runs](runs.md) has their order.\n"
    )
    return head + "".join(_describe(node) for node in find_steps())


def make_gates() -> str:
    """Return the page of gates."""
    head = (
        "# Gates\n\n"
        "A gate is a condition that must become true; it changes nothing.\n"
        "The names are the keys of the journal and of `--json`; [runs](runs.md) has their order.\n"
    )
    return head + "".join(_describe(node) for node in find_gates())


def find_steps() -> list[type]:
    """Return the class of every step, by its journal key."""
    return _find_nodes(lifecycle.steps)


def find_gates() -> list[type]:
    """Return the class of every gate, by its journal key."""
    return _find_nodes(lifecycle.gates)


def name_of(node: type) -> str:
    """Return a node's journal key with placeholders, for example `apply-layer/<layer>`."""
    return _text_of(node, "name")


def key_of(node: type) -> str:
    """Return the part of a node's journal key that is always the same; its heading, too."""
    return name_of(node).partition("/")[0]


def _find_nodes(package: ModuleType) -> list[type]:
    names = [info.name for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")]
    modules = [importlib.import_module(name) for name in names]
    nodes = [
        member
        for module in modules
        for _, member in inspect.getmembers(module, inspect.isclass)
        if member.__module__ == module.__name__ and hasattr(member, "probe")
    ]
    return sorted(nodes, key=key_of)


def _describe(node: type) -> str:
    facts = [
        f"Journal key: `{name_of(node)}`.",
        f"Title: {escape(_text_of(node, 'title'))}.",
        f"Probe: {_decapitalize(first_sentence(_doc_of(node, 'probe')))}",
    ]
    if hasattr(node, "apply"):
        facts.append(f"Act: {_decapitalize(first_sentence(_doc_of(node, 'apply')))}")
    facts.append(f"Waits: {_describe_patience(node)}.")
    if hasattr(node, "has_happened"):
        facts.append("Once: the act never happens twice; intent and proof are in the journal.")
    if hasattr(node, "warning"):
        facts.append(f"Warns before the confirmation: {escape(_text_of(node, 'warning'))}.")
    path = node.__module__.replace(".", "/") + ".py"
    facts.append(f"Code: [`{path}`](../../{path}).")
    listed = "\n".join(f"- {fact}" for fact in facts)
    return f"\n## {key_of(node)}\n\n{make_prose(node.__doc__)}\n\n{listed}\n"


def _text_of(node: type, attribute: str) -> str:
    assert is_dataclass(node)  # noqa: S101 (the house style of steps)
    for field in fields(node):
        if field.name == attribute and isinstance(field.default, str):
            return field.default
    return pattern_of_property(node, attribute)


def _doc_of(node: type, method: str) -> str:
    return inspect.getdoc(getattr(node, method)) or ""


def _describe_patience(node: type) -> str:
    assert is_dataclass(node)  # noqa: S101 (as above)
    declared = [field.default for field in fields(node) if field.name == "patience"]
    patience = declared[0] if declared and declared[0] is not MISSING else Patience()
    assert isinstance(patience, Patience)  # noqa: S101 (narrows)
    stall, deadline = _format_time(patience.stall), _format_time(patience.deadline)
    return f"at most {stall} without anything new to see, {deadline} in all"


def _format_time(duration: timedelta) -> str:
    minutes = duration.total_seconds() / 60
    return f"{minutes:g} min" if minutes < _MINUTES_SHOWN else f"{minutes / 60:g} h"


def _decapitalize(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:] if sentence[1:2].islower() else sentence

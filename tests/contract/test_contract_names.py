"""Every step and gate has its file, its place in the plan, a stable name and a reason."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import lifecycle.gates
import lifecycle.steps
from tests.contract.contract_cases import NODES
from tests.contract.contract_life import Story

_KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*(/[a-z0-9]+(-[a-z0-9]+)*)?")
_SAFE = re.compile(r"safe\s+to\s+(repeat|continue)", re.IGNORECASE)


def test_names_are_those_of_older_journals(story: Story) -> None:
    """Names and kinds are as they were: a run begun by an older version can be continued."""
    assert NODES == list(story.plan)


@pytest.mark.parametrize("name", [name for _, name in NODES])
def test_name_is_kebab_case(name: str) -> None:
    """A name is what it does or wants, in kebab-case, and after a slash whom it is about."""
    assert _KEBAB.fullmatch(name)


def test_every_module_is_in_the_plan(story: Story) -> None:
    """No step or gate lies about unused."""
    used = {kind.__module__ for kind in story.nodes}

    assert _list_modules() == used


def test_every_step_says_why_it_is_safe_to_repeat(story: Story) -> None:
    """One step file alone tells why it may run twice."""
    steps = [kind for kind in story.nodes if kind.__module__.startswith("lifecycle.steps.")]
    silent = {kind.__name__ for kind in steps if not _SAFE.search(inspect.getdoc(kind) or "")}

    assert set() == silent


def test_every_gate_says_what_it_wants(story: Story) -> None:
    """A gate has a docstring of its own, not the one that a dataclass makes."""
    silent = {
        kind.__name__
        for kind in story.nodes
        if (inspect.getdoc(kind) or "").startswith(f"{kind.__name__}(")
    }

    assert set() == silent


def _list_modules() -> set[str]:
    return {
        f"{package.__name__}.{path.stem}"
        for package in (lifecycle.gates, lifecycle.steps)
        for path in Path(str(package.__file__)).parent.glob("*.py")
        if path.stem != "__init__"
    }

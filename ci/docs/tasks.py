"""The page of tasks: what `invoke --help` says."""

from __future__ import annotations

import io
import textwrap
from contextlib import redirect_stdout
from pathlib import Path

from invoke.main import program

import tasks

__all__ = ["make_tasks"]

_ROOT = Path(__file__).resolve().parents[2]


def make_tasks() -> str:
    """Return the page of tasks."""
    listing = _ask("--list")
    names = sorted(tasks.namespace.task_names, key=lambda name: (name.count("."), name))
    sections = "".join(f"\n## {name}\n\n{_fence(_ask('--help', name))}" for name in names)
    return (
        "# Tasks\n\n"
        "Every task is run with `invoke` in a checkout; those of users also with `lifecycle`,"
        " which an installation brings, for example `lifecycle bootstrap`.\n\n"
        f"{_fence(listing)}{sections}"
    )


def _ask(*words: str) -> str:
    """Return what invoke prints; without a terminal it fills 80 columns."""
    with redirect_stdout(io.StringIO()) as said:
        program.run(["invoke", "--search-root", str(_ROOT), *words], exit=False)
    return textwrap.dedent(said.getvalue())


def _fence(text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
    return f"```text\n{lines}\n```\n"

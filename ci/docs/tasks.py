"""The page of tasks: what `invoke --help` says."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

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
    """Return what invoke prints; without a terminal it fills 80 columns.

    In a process of its own: Invoke takes the help texts out of its tasks when it prints them.
    """
    argv = [sys.executable, "-m", "invoke", "--search-root", str(_ROOT), *words]
    said = subprocess.run(argv, capture_output=True, check=True, cwd=_ROOT, text=True)
    return textwrap.dedent(said.stdout)


def _fence(text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
    return f"```text\n{lines}\n```\n"

"""What `invoke --list` and `--help` say."""

from __future__ import annotations

import os
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest

from lifecycle.cli.tasks import namespace

ROOT = Path(__file__).resolve().parents[2]


def run_invoke(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run invoke in the checkout."""
    return subprocess.run(
        [sys.executable, "-m", "invoke", *arguments],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_list_names_every_task() -> None:
    """`invoke --list` shows users' and developers' tasks, each with a sentence."""
    words = {line.strip().partition(" ")[0] for line in run_invoke("--list").stdout.splitlines()}

    assert {"bootstrap", "plan", "status", "lab.up", "lab.down", "lab.status", "test"} <= words


@pytest.mark.parametrize("name", sorted(namespace.task_names))
def test_help_is_a_sentence_with_examples(name: str) -> None:
    """Each task begins with one short sentence and ends with examples; options have help."""
    task = deepcopy(namespace[name])  # Invoke takes the help texts out of it
    first, *rest = (task.__doc__ or "").strip().splitlines()

    assert first.endswith(".")
    assert len(first) < 72
    assert "invoke " + name in rest[-1]
    assert not [arg.name for arg in task.get_arguments() if not arg.help]


def test_listing_imports_nothing_heavy() -> None:
    """Listing tasks must be instant: no tables, clients or parsers are imported for it."""
    code = (
        "import sys, lifecycle.cli.tasks\n"
        "heavy = {'rich', 'structlog', 'lightkube', 'httpx2', 'inventory', 'pydantic', 'sqlite3'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert "[]" == done.stdout.strip()


def test_exit_code_reaches_the_shell(tmp_path: Path) -> None:
    """A task's exit code is the process's, and an error is two lines, not a traceback."""
    done = run_invoke("plan", "--repo", str(tmp_path / "nowhere"))

    assert 2 == done.returncode
    assert ["error", "hint"] == [line.partition(":")[0] for line in done.stderr.splitlines()]

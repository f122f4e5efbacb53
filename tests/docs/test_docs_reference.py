"""The documentation says what the code says."""

from __future__ import annotations

import re
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest

from ci.docs.errors import find_errors
from ci.docs.nodes import find_gates, find_steps, key_of
from ci.docs.pages import PAGES, PARTS, ROOT, make_page
from inventory.rules import RULES
from lab.faults import FAULTS
from lifecycle.cli.options import VARIABLES
from lifecycle.engine import EventName
from tasks import namespace

_PROSE = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
)
_FENCE = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_COMMAND = re.compile(r"\binvoke ([a-z][a-z.]*)((?: --[a-z-]+(?:[ =][^-\s`][^\s`]*)?)*)")


@pytest.mark.parametrize("path", [*PAGES, *PARTS])
def test_generated_pages_are_current(path: str) -> None:
    """A page made from the code is the one that the code makes now; else run `invoke docs`."""
    assert make_page(path) == (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("key", [key_of(step) for step in find_steps()])
def test_each_step_is_in_the_reference(key: str) -> None:
    """Whoever sees a step's name in a log finds what it does and why it is safe to repeat."""
    assert key in _headings("docs/reference/steps.md")


@pytest.mark.parametrize("key", [key_of(gate) for gate in find_gates()])
def test_each_gate_is_in_the_reference(key: str) -> None:
    """Whoever waits for a gate finds what it waits for."""
    assert key in _headings("docs/reference/gates.md")


@pytest.mark.parametrize("node", [*find_steps(), *find_gates()], ids=key_of)
def test_each_step_and_gate_has_its_place_in_a_run(node: type) -> None:
    """No step and no gate is left over: each is in the order of a run."""
    assert f"#{key_of(node)})" in _read("docs/reference/runs.md")


def test_journal_keys_are_unique() -> None:
    """Two steps or gates never share a key of the journal."""
    keys = [key_of(node) for node in (*find_steps(), *find_gates())]

    assert sorted(set(keys)) == sorted(keys)


@pytest.mark.parametrize("event", EventName)
def test_each_event_is_explained(event: EventName) -> None:
    """Every line of a run's log has a name that the reference explains."""
    row = _row_of(event.value, "docs/reference/events.md")

    assert row.strip("| ")


@pytest.mark.parametrize("name", [variable.name for variable in VARIABLES])
def test_each_setting_is_in_the_reference(name: str) -> None:
    """Every environment variable that is heeded can be looked up."""
    assert _row_of(name, "docs/reference/environment.md")


@pytest.mark.parametrize("name", [error.__name__ for error in find_errors()])
def test_each_error_is_in_the_reference(name: str) -> None:
    """Every class that `--json` may name as the kind of an error can be looked up."""
    assert name in _headings("docs/reference/errors.md")


@pytest.mark.parametrize("code", sorted({0, 10} | {error.exit_code for error in find_errors()}))
def test_each_exit_code_is_in_the_reference(code: int) -> None:
    """Every exit code can be looked up by its number."""
    assert f"\n| {code} | " in _read("docs/reference/exit-codes.md")


@pytest.mark.parametrize("rule", RULES)
def test_each_finding_is_in_the_reference(rule: str) -> None:
    """Every finding that a repository may have is explained, with its repair."""
    assert rule in _headings("docs/reference/findings.md")


@pytest.mark.parametrize("fault", [fault.name for fault in FAULTS])
def test_each_fault_is_explained(fault: str) -> None:
    """Every fault that the lab can make can be looked up."""
    assert fault in _headings("docs/reference/faults.md")


@pytest.mark.parametrize("name", sorted(namespace.task_names))
def test_each_task_is_in_the_reference(name: str) -> None:
    """Every task has its help in the reference."""
    assert name in _headings("docs/reference/tasks.md")


@pytest.mark.parametrize("path", _PROSE)
def test_links_lead_somewhere(path: str) -> None:
    """A link inside the repository leads to a file that exists, and to a heading in it."""
    assert [] == [link for link in _links(path) if not _exists(path, link)]


@pytest.mark.parametrize("path", _PROSE)
def test_commands_in_the_docs_exist(path: str) -> None:
    """Each `invoke ...` that a page shows names a task and options that there are."""
    shown = _COMMAND.findall(_read(path))

    assert [] == [f"{task}{words}" for task, words in shown if not _is_known(task, words)]


def test_every_page_is_reached_from_the_index() -> None:
    """A page that no other page leads to is a page that nobody reads."""
    reached = {"README.md"}
    while found := {t for page in reached for t in _targets(page)} - reached:
        reached |= found

    assert [] == [path for path in _PROSE if path.startswith("docs/") and path not in reached]


def test_readme_stays_short() -> None:
    """The README says what, why, one example and where to read on; the rest is in docs/."""
    assert len(_read("README.md").splitlines()) < 80


@cache
def _read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def _headings(path: str) -> set[str]:
    text = _FENCE.sub("", _read(path))
    return set(re.findall(r"^#+ (.+)$", text, re.MULTILINE))


def _row_of(name: str, path: str) -> str:
    rows = re.findall(rf"^\| `{re.escape(name)}` \|(.*)$", _read(path), re.MULTILINE)
    return str(rows[0]) if rows else ""


def _links(path: str) -> list[str]:
    links = _LINK.findall(_FENCE.sub("", _read(path)))
    return [link for link in links if not link.startswith(("http://", "https://"))]


def _targets(path: str) -> set[str]:
    """Return the Markdown pages that a page links to."""
    files = (link.partition("#")[0] for link in _links(path))
    pages = (((ROOT / path).parent / file).resolve() for file in files if file.endswith(".md"))
    return {page.relative_to(ROOT).as_posix() for page in pages}


def _exists(path: str, link: str) -> bool:
    file, _, anchor = link.partition("#")
    target = ((ROOT / path).parent / file).resolve() if file else ROOT / path
    if not target.exists():
        return False
    return not anchor or anchor in {
        _anchor(heading) for heading in _headings(Path(target).relative_to(ROOT).as_posix())
    }


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _is_known(task: str, words: str) -> bool:
    if task not in namespace.task_names:
        return False
    known = {
        f"--{name.replace('_', '-')}"
        for argument in deepcopy(namespace[task]).get_arguments()
        for name in argument.names
    }
    return set(re.findall(r"--[a-z-]+", words)) <= known

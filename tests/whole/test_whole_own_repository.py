"""A user's own Git repository is rehearsed with its own key, and never written."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.repository import MaterializedRepository, find_sample, materialize
from lab.tools import LabTools
from lifecycle.cli.lab import find_lab
from lifecycle.cli.lab_tools import find_lab_tools
from lifecycle.drivers.documents import text_at
from tests.refusals.refusals_lab import Said, digest
from tests.whole.whole_life import Rehearsal, find_steps


@dataclass(frozen=True, slots=True)
class Tale:
    """What was said, and the digest of every file of the tree, Git's own included, in between."""

    repository: MaterializedRepository
    rehearsed: Path
    untouched: Mapping[str, str]
    killed: Said
    status_of_killed: Said
    after_kill: Mapping[str, str]
    finished: Said
    after_run: Mapping[str, str]
    modes: set[int]


@pytest.fixture(scope="module")
def tale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tale]:
    """Make a repository as a user has it, and rehearse it."""
    folder = tmp_path_factory.mktemp("own")
    repository = materialize(find_sample(), folder / "home", LabTools(path=find_lab_tools()))
    key = str(repository.age_key_file)
    words = ("--repo", str(repository.path))
    rehearsal = Rehearsal.begin(folder, words, ("--age-key", key))
    try:
        yield tell(rehearsal, repository)
    finally:
        rehearsal.stop()


def tell(rehearsal: Rehearsal, repository: MaterializedRepository) -> Tale:
    """Kill the run while ClusterTool generates, and run again."""
    lab = find_lab(rehearsal.state)
    assert lab is not None
    untouched = digest(repository.path)
    modes = {path.stat().st_mode for path in repository.path.rglob("*")}
    killed = rehearsal.kill_at("command.started", "genconfig")
    status_of_killed = rehearsal.run("status", "--json")
    after_kill = digest(repository.path)
    finished = rehearsal.run("bootstrap", "--json")
    return Tale(
        repository=repository,
        rehearsed=lab.repo,
        untouched=untouched,
        killed=killed,
        status_of_killed=status_of_killed,
        after_kill=after_kill,
        finished=finished,
        after_run=digest(repository.path),
        modes=modes ^ {path.stat().st_mode for path in repository.path.rglob("*")},
    )


def test_own_repository_is_what_is_rehearsed(tale: Tale) -> None:
    """The run reads the user's very tree, at its commit, and finishes."""
    fetched = find_steps(tale.finished)["fetch-commit"]

    assert 0 == tale.finished.code, tale.finished.stderr
    assert tale.repository.path == tale.rehearsed
    assert f"Flux has {tale.repository.commit[:7]}" == text_at(fetched, "seen")


def test_tree_is_never_written(tale: Tale) -> None:
    """Not one file of it changed, nor came into being, nor changed its mode."""
    assert tale.untouched == tale.after_run
    assert set() == tale.modes


def test_tree_is_not_written_by_a_killed_generation(tale: Tale) -> None:
    """A run that dies while ClusterTool works leaves the tree as it was."""
    steps = find_steps(tale.status_of_killed)

    assert -9 == tale.killed.code
    assert "running" == text_at(steps["generate-machine-configs"], "state")
    assert tale.untouched == tale.after_kill


def test_key_stays_where_it_is(tale: Tale) -> None:
    """The key is read from its file, which stays the owner's only."""
    assert tale.repository.age_key_file is not None
    assert 0o600 == stat.S_IMODE(tale.repository.age_key_file.stat().st_mode)

"""The journal: what a run leaves for the next one, whatever happened to it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import pytest

from lifecycle.engine.ports import RunState, StepState
from lifecycle.errors import CheckpointError
from lifecycle.store import SqliteJournal, read_last_run, read_runs
from lifecycle.store._schema import open_database

PLAN = [("bootstrap-etcd", "Bootstrap etcd"), ("etcd-healthy", "Wait for etcd")]

KILLED_AFTER_INTENT = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from lifecycle.store import SqliteJournal

journal = SqliteJournal(
    Path(sys.argv[1]), kind="bootstrap", cluster="home", now=lambda: datetime.now(UTC)
)
journal.begin()
journal.record_plan([("bootstrap-etcd", "Bootstrap etcd")])
journal.record_intent("bootstrap-etcd", 1)
os.kill(os.getpid(), signal.SIGKILL)
"""


class OpenJournal(Protocol):
    """Opens the journal of one cluster, as each new process does."""

    def __call__(self, kind: str = "bootstrap", cluster: str = "home") -> SqliteJournal:
        """Open it for a run of `kind` on `cluster`."""
        ...


class TickingClock:
    """A wall clock that moves on by one second each time it is read."""

    def __init__(self) -> None:
        self._moment = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the next second."""
        self._moment += timedelta(seconds=1)
        return self._moment


@pytest.fixture
def open_journal(tmp_path: Path) -> Iterator[OpenJournal]:
    """Open the journal of one cluster, as each new process does."""
    ticking = TickingClock()
    with ExitStack() as stack:

        def open_one(kind: str = "bootstrap", cluster: str = "home") -> SqliteJournal:
            journal = SqliteJournal(
                tmp_path / "journal.db", kind=kind, cluster=cluster, now=ticking
            )
            return stack.enter_context(journal)

        yield open_one


@pytest.mark.parametrize("state", [RunState.FAILED, RunState.INTERRUPTED, RunState.RUNNING])
def test_unfinished_run_goes_on_under_its_id(open_journal: OpenJournal, state: RunState) -> None:
    """A run that did not finish, however it ended, is resumed by the next of its kind."""
    first = open_journal()
    first.begin()
    if state is not RunState.RUNNING:
        first.finish(state, "why")
    second = open_journal()
    second.begin()
    third = open_journal()

    assert [(first.run.id, 0), (first.run.id, 1), (first.run.id, 2)] == [
        (journal.run.id, journal.run.resumed) for journal in (first, second, third)
    ]


def test_finished_run_is_followed_by_a_new_one(open_journal: OpenJournal) -> None:
    """After a run that finished, the next one has an id of its own."""
    first = open_journal()
    first.begin()
    first.finish(RunState.FINISHED, "")
    second = open_journal()

    assert first.run.id != second.run.id
    assert 0 == second.run.resumed


@pytest.mark.parametrize(("kind", "cluster"), [("upgrade", "home"), ("bootstrap", "office")])
def test_other_kind_or_cluster_is_not_resumed(
    open_journal: OpenJournal, kind: str, cluster: str
) -> None:
    """An unfinished bootstrap does not make an upgrade, or another cluster's run, resume."""
    first = open_journal()
    first.begin()
    other = open_journal(kind=kind, cluster=cluster)

    assert (0, False) == (other.run.resumed, other.run.id == first.run.id)


def test_opening_alone_starts_nothing(open_journal: OpenJournal, tmp_path: Path) -> None:
    """A run that was refused before it began leaves no trace in the journal."""
    open_journal()

    assert read_last_run(tmp_path / "journal.db") is None


def test_intent_without_proof_stays_open_after_a_kill(
    open_journal: OpenJournal, tmp_path: Path
) -> None:
    """A process killed inside an act leaves its intent for the next process to see."""
    child = subprocess.run(
        [sys.executable, "-c", KILLED_AFTER_INTENT, str(tmp_path / "journal.db")],
        check=False,
        env=dict(os.environ),
    )
    journal = open_journal()

    assert -signal.SIGKILL == child.returncode
    assert (1, True) == (journal.run.resumed, journal.has_open_intent("bootstrap-etcd"))


def test_proof_closes_every_intent_of_the_step(open_journal: OpenJournal) -> None:
    """Once the effect was seen, no intent of any earlier run is open any more."""
    first = open_journal()
    first.begin()
    first.record_plan(PLAN)
    first.record_intent("bootstrap-etcd", 1)
    first.record_failure("bootstrap-etcd", "connection lost")
    second = open_journal()
    second.begin()
    before = second.has_open_intent("bootstrap-etcd")
    second.record_intent("bootstrap-etcd", 1)
    second.record_proof("bootstrap-etcd", "1 member")

    assert (True, False) == (before, second.has_open_intent("bootstrap-etcd"))


def test_probe_that_sees_the_effect_is_a_proof(open_journal: OpenJournal) -> None:
    """An act whose process died before its proof is proved by the next run's first probe."""
    first = open_journal()
    first.begin()
    first.record_plan(PLAN)
    first.record_intent("bootstrap-etcd", 1)
    second = open_journal()
    second.begin()
    second.record_plan(PLAN)
    second.record_probe("bootstrap-etcd", StepState.DONE, "3 members")

    assert not second.has_open_intent("bootstrap-etcd")


def test_disk_is_waited_for_where_it_counts(
    open_journal: OpenJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an act rests on is on the disk when it is written; sights alone do not wait for it."""
    modes: list[str] = []

    def open_traced(path: Path) -> sqlite3.Connection:
        connection = open_database(path)

        def note(statement: str) -> None:
            if statement == "COMMIT":
                modes.append(mode[-1])
            elif statement.startswith("PRAGMA synchronous = "):
                mode.append(statement.rpartition(" ")[2])

        mode: list[str] = []
        connection.set_trace_callback(note)
        return connection

    monkeypatch.setattr("lifecycle.store.journal.open_database", open_traced)
    journal = open_journal()
    journal.begin()
    journal.record_plan(PLAN)
    modes.clear()
    journal.record_probe("bootstrap-etcd", StepState.PENDING, "no member")
    journal.record_intent("bootstrap-etcd", 1)
    journal.record_applied("bootstrap-etcd")
    journal.record_probe("bootstrap-etcd", StepState.WAITING, "one learner")
    journal.record_probe("bootstrap-etcd", StepState.DONE, "one member")
    journal.record_probe("etcd-healthy", StepState.DONE, "healthy")
    journal.finish(RunState.FINISHED, "")

    assert ["NORMAL", "FULL", "FULL", "NORMAL", "FULL", "NORMAL", "FULL"] == modes


def test_steps_keep_what_is_known_when_the_plan_is_made_again(
    open_journal: OpenJournal, tmp_path: Path
) -> None:
    """A resumed run takes over attempts and sights; steps that are gone are dropped."""
    first = open_journal()
    first.begin()
    first.record_plan([("old", "Gone in the next version"), *PLAN])
    first.record_intent("bootstrap-etcd", 1)
    first.record_applied("bootstrap-etcd")
    first.record_proof("bootstrap-etcd", "1 member")
    second = open_journal()
    second.begin()
    second.record_plan(PLAN)
    last = read_last_run(tmp_path / "journal.db")

    assert last is not None
    assert [
        ("bootstrap-etcd", StepState.DONE, 1, "1 member"),
        ("etcd-healthy", StepState.PENDING, 0, ""),
    ] == [(step.name, step.state, step.attempts, step.last_seen) for step in last.steps]


def test_times_belong_to_the_act(open_journal: OpenJournal, tmp_path: Path) -> None:
    """A step begins with its first act or wait and ends with its proof."""
    journal = open_journal()
    journal.begin()
    journal.record_plan(PLAN)
    journal.record_intent("bootstrap-etcd", 1)
    journal.record_proof("bootstrap-etcd", "1 member")
    journal.record_probe("etcd-healthy", StepState.DONE, "3 of 3")
    last = read_last_run(tmp_path / "journal.db")

    assert last is not None
    acted, only_probed = last.steps
    assert acted.started_at is not None
    assert acted.ended_at is not None
    assert acted.started_at < acted.ended_at
    assert only_probed.started_at is None


def test_runs_are_listed_newest_first(open_journal: OpenJournal, tmp_path: Path) -> None:
    """`read_runs` gives the last run first, with how it ended."""
    for state in (RunState.FINISHED, RunState.FAILED):
        journal = open_journal()
        journal.begin()
        journal.finish(state, f"was {state.value}")

    runs = read_runs(tmp_path / "journal.db", cluster="home")

    assert ["was failed", "was finished"] == [run.message for run in runs]


def test_reader_sees_a_run_under_way(open_journal: OpenJournal, tmp_path: Path) -> None:
    """Status reads while the run writes, and sees what was last committed."""
    journal = open_journal()
    journal.begin()
    journal.record_plan(PLAN)
    journal.record_probe("etcd-healthy", StepState.WAITING, "1 of 3")
    last = read_last_run(tmp_path / "journal.db")

    assert last is not None
    assert (RunState.RUNNING, "1 of 3") == (last.state, last.steps[1].last_seen)


def test_secrets_are_redacted_before_they_are_stored(tmp_path: Path) -> None:
    """What a probe saw goes through the redactor on its way to the file."""
    path = tmp_path / "journal.db"
    with SqliteJournal(
        path,
        kind="bootstrap",
        cluster="home",
        now=lambda: datetime.now(UTC),
        redact=lambda text: text.replace("hunter2", "***"),
    ) as journal:
        journal.begin()
        journal.record_plan(PLAN)
        journal.record_failure("bootstrap-etcd", "token hunter2 refused")

    assert not [file for file in tmp_path.iterdir() if b"hunter2" in file.read_bytes()]


@pytest.mark.parametrize("damage", [b"not a database, just text" * 50, b"SQLite format 3\0" * 400])
def test_damaged_journal_says_how_to_go_on(
    open_journal: OpenJournal, tmp_path: Path, damage: bytes
) -> None:
    """A file that is no journal is an error with the repair, not a traceback."""
    (tmp_path / "journal.db").write_bytes(damage)
    with pytest.raises(CheckpointError) as caught:
        open_journal()

    assert "journal is damaged" in caught.value.message
    assert "nothing is lost" in caught.value.hint


def test_damage_inside_is_noticed(open_journal: OpenJournal, tmp_path: Path) -> None:
    """A journal whose pages were overwritten is refused when it is opened."""
    path = tmp_path / "journal.db"
    journal = open_journal()
    journal.begin()
    journal.record_plan([(f"step-{number}", "Title") for number in range(200)])
    journal.close()
    content = bytearray(path.read_bytes())
    content[4096:12288] = b"\xff" * 8192
    path.write_bytes(content)

    with pytest.raises(CheckpointError, match="damaged"):
        open_journal()


def test_newer_schema_is_refused(open_journal: OpenJournal, tmp_path: Path) -> None:
    """A journal that a newer version wrote is left alone, both by runs and by status."""
    path = tmp_path / "journal.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(CheckpointError, match="newer than this program"):
        open_journal()
    with pytest.raises(CheckpointError, match="newer than this program"):
        read_last_run(path)


def test_journal_killed_while_created_is_completed(
    open_journal: OpenJournal, tmp_path: Path
) -> None:
    """An empty file, left by a kill at the worst moment, becomes a journal."""
    (tmp_path / "journal.db").touch()
    before = read_last_run(tmp_path / "journal.db")
    open_journal().begin()

    assert before is None
    assert read_last_run(tmp_path / "journal.db") is not None


def test_journal_is_private(open_journal: OpenJournal, tmp_path: Path) -> None:
    """Only the owner may read what is known of a cluster."""
    open_journal().begin()

    assert {0o600} == {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}

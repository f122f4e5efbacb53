"""The frame of a run: what is shown where, how it ends, and what it leaves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lifecycle.cli import place, session
from lifecycle.cli.console import open_terminal
from lifecycle.cli.status import show_status
from lifecycle.engine.ports import RunState, StepState
from lifecycle.store import ClusterState, FileLock, find_newest_state, read_last_run
from tests.cli.cli_fakes import SECRET, run_command

THREE = [{"name": "one"}, {"name": "two"}, {"name": "three"}]


def find_state(environ: dict[str, str]) -> ClusterState:
    """Return the only state folder there is."""
    state = find_newest_state(Path(environ["TALOS_LIFECYCLE_STATE"]))
    assert state is not None
    return state


def test_run_shows_its_result_and_ends_with_zero(
    repo: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Result on stdout; progress, notes and the log's place on stderr; nothing animated."""
    code = run_command("bootstrap --yes", repo, THREE, environ)
    out, err = capsys.readouterr()

    assert 0 == code
    assert "bootstrap home finished: 3 of 3 done, 3 changed" in out
    assert "done     Write one: written" in err
    assert "note: a note" in err
    assert "\x1b" not in out + err


def test_second_run_changes_nothing(
    repo: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A run on a world that is as wanted is a new run without a change."""
    run_command("bootstrap --yes", repo, THREE, environ)
    first = read_last_run(find_state(environ).journal)
    capsys.readouterr()
    code = run_command("bootstrap --yes", repo, THREE, environ)
    second = read_last_run(find_state(environ).journal)

    assert first is not None
    assert second is not None
    assert (0, False) == (code, first.id == second.id)
    assert "3 of 3 done, 0 changed" in capsys.readouterr().out


def test_json_mode_writes_one_document_to_stdout(
    repo: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """With --json, stdout is one document that parses; progress still goes to stderr."""
    run_command("bootstrap --yes --json", repo, THREE, environ)
    out, err = capsys.readouterr()
    value = json.loads(out)

    assert ("finished", 3, 3) == (value["state"], value["done"], value["changed"])
    assert "Write one" in err


def test_failure_shows_error_hint_and_how_to_go_on(
    repo: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A failed step's error and hint are told last; the exit code is the error's own."""
    script = [{"name": "one"}, {"name": "two", "trouble": "fails"}, {"name": "three"}]
    code = run_command("bootstrap --yes", repo, script, environ)
    out, err = capsys.readouterr()

    assert 5 == code
    assert "error: Write two: disk is gone, said ***\nhint: replace the disk\n" in err
    assert "goes on from here" in err
    assert ["done", "failed", "not begun"] == [
        line.split("  ")[0].strip() for line in out.splitlines()[2:5]
    ]


def test_refusal_before_any_change_is_code_4(
    repo: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What blocks before the first act is a precondition, with its hint."""
    code = run_command("bootstrap --yes", repo, [{"name": "a", "trouble": "blocked"}], environ)

    assert 4 == code
    assert "VIP is taken: `10.0.0.1`\nhint: release it" in capsys.readouterr().err


def test_verbose_tells_each_command(
    repo: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """With --verbose every command that is run is a line, while tables stay."""
    run_command("bootstrap --yes --verbose", repo, [{"name": "one", "runs": True}], environ)
    out, err = capsys.readouterr()

    assert "$ git status" in err
    assert "1 of 1 done" in out


def test_bug_shows_no_traceback_but_keeps_it(
    repo: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """An unexpected error is one line; its traceback is in the log, without secrets."""
    code = run_command("bootstrap --yes", repo, [{"name": "a", "trouble": "bug"}], environ)
    out, err = capsys.readouterr()
    state = find_state(environ)
    last = read_last_run(state.journal)

    assert last is not None
    log = state.log_of(last.id).read_text()
    assert (1, RunState.FAILED) == (code, last.state)
    assert "error: unexpected error: `ValueError`" in err
    assert "Traceback" not in out + err
    assert "Traceback" in log
    assert SECRET not in log + out + err


def test_no_secret_is_left_in_any_file(repo: Path, environ: dict[str, str]) -> None:
    """Whatever a failed run wrote holds no known secret."""
    script = [{"name": "one", "trouble": "fails"}]
    run_command("bootstrap --yes", repo, script, environ)
    files = [path for path in Path(environ["TALOS_LIFECYCLE_STATE"]).rglob("*") if path.is_file()]

    assert files
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]


def test_without_a_terminal_nothing_begins_unconfirmed(
    repo: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody to ask and no --yes: refused with code 2 and a hint, and no state at all."""
    code = run_command("bootstrap", repo, THREE, environ)

    assert 2 == code
    assert "hint: add --yes" in capsys.readouterr().err
    assert not Path(environ["TALOS_LIFECYCLE_STATE"]).exists()


def test_second_run_at_once_is_refused(
    repo: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """While a run holds the cluster, another is told who it is, with code 3."""
    run_command("bootstrap --yes", repo, THREE, environ)
    state = find_state(environ)
    last = read_last_run(state.journal)
    assert last is not None
    with FileLock(state.lock, cluster="home", now=last.started_at):
        code = run_command("bootstrap --yes", repo, THREE, environ)

    assert 3 == code
    assert "cluster is locked: `home-" in capsys.readouterr().err


def test_plan_changes_nothing_and_tells_by_its_code(
    repo: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """`plan` ends with 10 when something is to do, with 0 afterwards, and writes nothing."""
    before = run_command("plan", repo, THREE, environ)
    out = capsys.readouterr().out
    files = list((repo / "world").iterdir())
    run_command("bootstrap --yes", repo, THREE, environ)
    after = run_command("plan", repo, THREE, environ)

    assert (10, [], 0) == (before, files, after)
    assert "3 to do" in out


def test_plan_has_a_json_document(
    repo: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """`plan --json` prints one document and nothing else."""
    run_command("plan --json", repo, THREE, environ)
    value = json.loads(capsys.readouterr().out)

    assert (3, "needed") == (value["to_do"], value["nodes"][0]["answer"])


def test_error_in_json_mode_is_a_document(
    repo: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Also a refusal leaves exactly one document on stdout."""
    (repo / "clusters" / "home" / "clusterenv.yaml").unlink()
    (repo / "clusters" / "home").rmdir()
    run_command("bootstrap --yes --json", repo, THREE, environ)
    value = json.loads(capsys.readouterr().out)

    assert "PlanError" == value["error"]["kind"]


def test_status_after_a_run(
    repo: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Status shows the last run step by step from the journal alone."""
    run_command("bootstrap --yes", repo, THREE, environ)
    capsys.readouterr()
    code = show_status(find_state(environ), open_terminal(environ))
    out = capsys.readouterr().out

    assert 0 == code
    assert "bootstrap home: finished" in out
    assert "Write three" in out


def test_run_resumes_under_its_id(
    repo: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """After a failure the same command goes on: same id, done steps probed and skipped."""
    script = [{"name": "one"}, {"name": "two", "trouble": "fails"}]
    run_command("bootstrap --yes", repo, script, environ)
    first = read_last_run(find_state(environ).journal)
    code = run_command("bootstrap --yes", repo, [{"name": "one"}, {"name": "two"}], environ)
    second = read_last_run(find_state(environ).journal)

    assert first is not None
    assert second is not None
    assert (0, first.id, 1) == (code, second.id, second.resumed)
    assert [StepState.DONE, StepState.DONE] == [step.state for step in second.steps]
    assert f"resuming run {first.id}" in capsys.readouterr().err


def test_run_ends_with_its_lab(
    repo: Path,
    environ: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A step that would wait long for machines that are no more does not."""
    said = iter([""])
    monkeypatch.setattr(place, "_LOOK_S", 0.05)
    monkeypatch.setattr(place, "tell_end", lambda _state: next(said, "error: machine a broke"))
    monkeypatch.setattr(
        session, "open_site", lambda *given: replace(place.open_site(*given), is_lab=True)
    )
    code = run_command("bootstrap --yes", repo, [{"name": "one", "seconds": 250}], environ)
    err = capsys.readouterr().err
    last = read_last_run(find_state(environ).journal)

    assert last is not None
    assert (1, RunState.FAILED) == (code, last.state)
    assert "lab: its process has ended, and every machine with it: error: machine a broke\n" in err
    assert "error: run ended, since its lab has ended" in err

"""What a person and a machine are told of the causes of a failed run, and what is kept of them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lifecycle.cli.console import open_terminal
from lifecycle.cli.diagnosing import find_causes
from lifecycle.cli.guard import run_guarded
from lifecycle.cli.options import Arguments, read_run
from lifecycle.cli.session import RunFrame, run_in_frame
from lifecycle.cli.status import show_status
from lifecycle.cli.wiring import Inputs, Prepared
from lifecycle.diagnosis import Diagnosis
from lifecycle.engine import Failure
from lifecycle.errors import ClusterLockedError, LifecycleError
from lifecycle.secrets import Redactor
from lifecycle.store import find_newest_state
from tests.cli.cli_fakes import SECRET, make_prepare

FAILING = [{"name": "one"}, {"name": "two", "trouble": "fails"}]
FOUND = Diagnosis(
    cause=f"image cannot be pulled: `x:{SECRET}`",
    evidence=("Kustomization flux-system/notes is applied", "Pod notes/notes-1: ImagePullBackOff"),
    command="correct the image",
    component="notes",
    signature="image-not-pulled",
)

Diagnose = Callable[[str, str], Awaitable[tuple[Diagnosis, ...]]]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A cluster repository with one cluster, and the folder that its steps write into."""
    folder = tmp_path / "repo"
    (folder / "clusters" / "home").mkdir(parents=True)
    (folder / "clusters" / "home" / "clusterenv.yaml").write_text("CLUSTERNAME: home\n")
    (folder / "world").mkdir()
    return folder


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment whose state lies in the test's own folder."""
    return {"TALOS_LIFECYCLE_STATE": str(tmp_path / "state"), "HOME": str(tmp_path)}


def run_failing(
    repo: Path, environ: Mapping[str, str], diagnose: Diagnose, *, is_json: bool = False
) -> int:
    """Run a bootstrap whose second step fails, and look for the cause by `diagnose`."""

    @asynccontextmanager
    async def prepare(inputs: Inputs) -> AsyncIterator[Prepared]:
        async with make_prepare(repo / "world", FAILING)(inputs) as prepared:
            yield replace(prepared, diagnose=diagnose)

    terminal = open_terminal({**environ, "COLUMNS": "200"}, is_json=is_json)
    redactor = Redactor()

    def act() -> int:
        request = read_run(Arguments(repo=str(repo), yes=True, json=is_json), environ)
        return run_in_frame(RunFrame("bootstrap", request, terminal, redactor), prepare)

    crash_log = Path(environ["TALOS_LIFECYCLE_STATE"]) / "crash.log"
    return run_guarded(act, terminal=terminal, redactor=redactor, crash_log=crash_log)


async def find(_step: str, _seen: str) -> tuple[Diagnosis, ...]:
    """Find the cause."""
    return (FOUND,)


def test_cause_stands_below_its_error(
    repo: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Cause, evidence and repair follow the error, redacted; the exit code stays the error's."""
    code = run_failing(repo, environ, find)
    err = capsys.readouterr().err

    assert 5 == code
    assert (
        "error: Write two: disk is gone, said ***\n"
        "cause: image cannot be pulled: `x:***` (in notes)\n"
        "  Kustomization flux-system/notes is applied\n"
        "  Pod notes/notes-1: ImagePullBackOff\n"
        "hint: correct the image\n"
        "hint: replace the disk\n"
    ) in err


def test_cause_is_in_json_log_and_status(
    repo: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Machines get it with its signature; log and journal keep it, without secrets."""
    run_failing(repo, environ, find, is_json=True)
    value = json.loads(capsys.readouterr().out)
    state = find_newest_state(Path(environ["TALOS_LIFECYCLE_STATE"]))
    assert state is not None
    show_status(state, open_terminal({"COLUMNS": "200"}))
    told = capsys.readouterr().out
    show_status(state, open_terminal({}, is_json=True))
    status = json.loads(capsys.readouterr().out)
    log = Path(value["log"]).read_text()

    assert "image-not-pulled" == value["failures"][0]["diagnoses"][0]["signature"]
    assert value["failures"][0]["diagnoses"] == status["diagnoses"]
    assert "hint: correct the image" in told
    assert "\n  Pod notes/notes-1: ImagePullBackOff\n" in told
    assert '"event": "step.diagnosed"' in log
    assert SECRET not in log + told


def test_cause_of_an_earlier_attempt_is_not_shown_again(
    repo: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What the run died of before it was taken up again may be repaired."""

    async def find_nothing(_step: str, _seen: str) -> tuple[Diagnosis, ...]:
        return ()

    run_failing(repo, environ, find)
    run_failing(repo, environ, find_nothing)
    state = find_newest_state(Path(environ["TALOS_LIFECYCLE_STATE"]))
    assert state is not None
    capsys.readouterr()
    show_status(state, open_terminal({}))

    assert "cause: " not in capsys.readouterr().out


def test_ctrl_c_ends_the_looking_only(
    repo: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever does not want to wait for a cause still gets result, error and exit code."""

    async def look_long(_step: str, _seen: str) -> tuple[Diagnosis, ...]:
        asyncio.get_running_loop().call_later(0.02, os.kill, os.getpid(), signal.SIGINT)
        await asyncio.sleep(60)
        return (FOUND,)

    code = run_failing(repo, environ, look_long)
    out, err = capsys.readouterr()

    assert 5 == code
    assert "bootstrap home failed: 1 of 2 done" in out
    assert "error: Write two: disk is gone" in err
    assert "cause: " not in err


async def test_what_another_run_has_unfinished_is_no_cause() -> None:
    """A cluster that is locked says by whom, and nothing of what that one is waiting for."""
    asked: list[str] = []

    async def diagnose(step: str, _message: str) -> tuple[Diagnosis, ...]:
        asked.append(step)
        return (FOUND,)

    locked = ClusterLockedError("cluster is locked", holder="somebody", since="now")
    failures = [Failure("lease-is-held", locked), Failure("two", LifecycleError("fails"))]
    causes = await find_causes(diagnose, failures, redact=str, restore=lambda: None)

    assert ["two"] == asked
    assert ([], 1) == (causes["lease-is-held"], len(causes["two"]))

"""Ctrl-C and kill, on real processes."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from lifecycle.cli.console import open_terminal
from lifecycle.cli.status import show_status
from lifecycle.engine.ports import RunState
from lifecycle.store import ClusterState, find_newest_state, read_last_run

ROOT = Path(__file__).resolve().parents[2]
Script = Sequence[Mapping[str, object]]
# The second step's act lasts long enough to be interrupted, yet a test that waits for it is short.
SLOW: Script = [{"name": "one"}, {"name": "two", "seconds": 0.6}, {"name": "three"}]
ENDLESS: Script = [{"name": "one"}, {"name": "two", "seconds": 60}, {"name": "three"}]
DEADLINE_S = 30.0


@contextmanager
def start(
    repo: Path, environ: Mapping[str, str], script: Script
) -> Iterator[subprocess.Popen[str]]:
    """Run a bootstrap of scripted steps as a process; wait until the act of `two` has begun."""
    argv = [sys.executable, "-m", "tests.cli.cli_fakes", "bootstrap --yes --json", str(repo)]
    with subprocess.Popen(
        [*argv, json.dumps(script)],
        cwd=ROOT,
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            wait_for(repo / "world" / "two.begun")
            yield process
        finally:
            process.kill()


def wait_for(path: Path) -> None:
    """Wait until a file is there."""
    deadline = time.monotonic() + DEADLINE_S
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.01)


def find_state(environ: Mapping[str, str]) -> ClusterState:
    """Return the only state folder there is."""
    state = find_newest_state(Path(environ["TALOS_LIFECYCLE_STATE"]))
    assert state is not None
    return state


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_ends_the_act_and_stops(
    repo: Path, environ: dict[str, str], number: signal.Signals
) -> None:
    """The act under way ends and is proved, nothing new begins, 130, and how to go on is said."""
    with start(repo, environ, SLOW) as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=DEADLINE_S)
    last = read_last_run(find_state(environ).journal)

    assert last is not None
    assert (130, RunState.INTERRUPTED) == (process.returncode, last.state)
    assert "stopping after: Write two; Ctrl-C again stops at once" in err
    assert "goes on from here" in err
    assert "interrupted" == json.loads(out)["state"]
    assert [True, False] == [(repo / "world" / name).exists() for name in ("two", "three")]


def test_second_signal_stops_at_once(repo: Path, environ: dict[str, str]) -> None:
    """An act that would take a minute is given up within seconds, and the run can go on."""
    with start(repo, environ, ENDLESS) as process:
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_S)
        took = time.monotonic() - begun
    last = read_last_run(find_state(environ).journal)

    assert last is not None
    assert (130, RunState.INTERRUPTED) == (process.returncode, last.state)
    assert took < 10
    assert "error: stopped at once" in err
    assert 130 == json.loads(out)["error"]["exit_code"]


def test_killed_run_is_shown_as_killed_and_goes_on(
    repo: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """After SIGKILL inside an act: status says so, the next run resumes and finishes."""
    with start(repo, environ, ENDLESS) as process:
        show_status(find_state(environ), open_terminal(environ))
        during = capsys.readouterr().out
        process.kill()
        process.wait()
    show_status(find_state(environ), open_terminal(environ))
    after = capsys.readouterr().out
    with start(repo, environ, SLOW) as process:
        out, _ = process.communicate(timeout=DEADLINE_S)
    value = json.loads(out)

    assert "bootstrap home: running" in during
    assert f"held by process {process.pid}" not in after
    assert "bootstrap home: killed" in after
    assert ("finished", 1, 3) == (value["state"], value["resumed"], value["done"])


def run_on_terminal(repo: Path, environ: Mapping[str, str], answer: bytes) -> tuple[int, str]:
    """Run a bootstrap with a terminal of its own, answering its question."""
    argv = [sys.executable, "-m", "tests.cli.cli_fakes", "bootstrap", str(repo)]
    script: Script = [{"name": "one", "warning": "wipes the disk of one"}, {"name": "two"}]
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [*argv, json.dumps(script)],
        cwd=ROOT,
        env={**os.environ, **environ, "TERM": "xterm", "NO_COLOR": "1"},
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    ) as process:
        os.close(follower)
        shown = b""
        while chunk := read_chunk(leader):
            shown += chunk
            if b"[y/N] " in shown and answer:
                os.write(leader, answer)
                answer = b""
    os.close(leader)
    return process.returncode, shown.decode()


def read_chunk(leader: int) -> bytes:
    """Read what a terminal was sent; nothing when its other end was closed."""
    try:
        return os.read(leader, 4096)
    except OSError:  # Linux says EIO instead of an end of file
        return b""


def test_on_a_terminal_the_plan_is_shown_and_asked_for(repo: Path, environ: dict[str, str]) -> None:
    """Plan table, warnings, question, live table, result table, in this order."""
    code, shown = run_on_terminal(repo, environ, b"y\n")
    wanted = ["2 to do", "warning: wipes the disk of one", "bootstrap home? [y/N]", "2 of 2 done"]
    places = [shown.find(text) for text in wanted]

    assert 0 == code
    assert -1 not in places
    assert sorted(places) == places


@pytest.mark.parametrize("answer", [b"n\n", b"\n", b"\x04"], ids=["no", "nothing", "end of file"])
def test_anything_but_yes_changes_nothing(
    repo: Path, environ: dict[str, str], answer: bytes
) -> None:
    """A refused plan leaves world and journal as they were."""
    code, shown = run_on_terminal(repo, environ, answer)

    assert 130 == code
    assert "not confirmed, nothing was changed" in shown
    assert [] == list((repo / "world").iterdir())
    assert read_last_run(find_state(environ).journal) is None

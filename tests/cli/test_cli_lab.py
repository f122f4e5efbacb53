"""Finding, starting and stopping the lab's process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lifecycle.cli import lab
from lifecycle.cli.place import check_lab
from lifecycle.cli.requests import ClusterRequest, LabRequest
from lifecycle.errors import LifecycleError, PlanError
from lifecycle.store import ClusterState

SERVES = """
import json, os, socket, sys, time
folder = sys.argv[1]
os.chdir(folder)
server = socket.socket(socket.AF_UNIX)
server.bind("control.sock")
server.listen()
value = {"pid": os.getpid(), "repo": folder, "cluster": "main", "path": [], "env": {},
         "addresses": {"10.1.0.1": "127.1.0.1"}, "charts": [], "speed": 20,
         "control": sys.argv[2], "kubernetes": ""}
with open("lab.json.new", "w") as file:
    json.dump(value, file)
os.rename("lab.json.new", "lab.json")
time.sleep(60)
"""
TARGET = ClusterRequest(repo=None, cluster="", lab=LabRequest())


@pytest.fixture
def state(tmp_path: Path) -> ClusterState:
    """State of a rehearsal, with remains of an earlier one."""
    state = ClusterState(tmp_path / "s")
    state.create()
    state.journal.write_text("of the old world")
    state.lock.touch()
    return state


def serve(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Let another program stand in for the lab's."""

    def make_argv(folder: Path, *_: object) -> list[str]:
        return [sys.executable, "-c", program, str(folder), str(folder / "control.sock")]

    monkeypatch.setattr(lab, "_make_argv", make_argv)


def test_lab_is_started_found_and_stopped(
    monkeypatch: pytest.MonkeyPatch, state: ClusterState
) -> None:
    """A lab outlives the command that started it, is found again, and is gone when stopped."""
    serve(monkeypatch, SERVES)
    before = lab.find_lab(state)
    started = lab.start_lab(state, TARGET)
    found = lab.find_lab(state)
    was_standing = lab.stop_lab(state)

    assert (None, started, True, None) == (before, found, was_standing, lab.find_lab(state))
    assert {"10.1.0.1": "127.1.0.1"} == started.addresses


def test_time_until_the_lab_is_ready_is_used(
    monkeypatch: pytest.MonkeyPatch, state: ClusterState, tmp_path: Path
) -> None:
    """What is to be done meanwhile is done while the lab starts: here it starts because of it."""
    flag = tmp_path / "flag"
    waits = f"import os, time\nwhile not os.path.exists({str(flag)!r}):\n    time.sleep(0.01)\n"
    serve(monkeypatch, waits + SERVES)
    monkeypatch.setattr(lab, "_START_TIMEOUT_S", 20.0)

    started = lab.start_lab(state, TARGET, meanwhile=flag.touch)
    lab.stop_lab(state)

    assert {"10.1.0.1": "127.1.0.1"} == started.addresses


def test_new_world_forgets_the_old_one(
    monkeypatch: pytest.MonkeyPatch, state: ClusterState
) -> None:
    """Journal and credentials of an earlier world are removed, the lock is kept."""
    serve(monkeypatch, SERVES)
    lab.start_lab(state, TARGET)
    has_journal = state.journal.exists()
    lab.stop_lab(state)

    assert (False, True) == (has_journal, state.lock.exists())


def test_lab_that_ends_says_why(monkeypatch: pytest.MonkeyPatch, state: ClusterState) -> None:
    """The error ends with what the lab said last, and how to get what it needs."""
    serve(monkeypatch, "import sys; sys.exit(\"No module named 'grpclib'\")")
    with pytest.raises(LifecycleError) as caught:
        lab.start_lab(state, TARGET)

    assert "lab ended with exit code 1: No module named 'grpclib'" == caught.value.message
    assert "pip install 'talos-lifecycle[lab]'" in caught.value.hint


def test_lab_that_ended_later_is_told(monkeypatch: pytest.MonkeyPatch, state: ClusterState) -> None:
    """What it said last is told, or that it was taken down; of one that stands, nothing."""
    serve(monkeypatch, SERVES)
    started = lab.start_lab(state, TARGET)
    standing = lab.tell_end(state)
    os.kill(started.pid, signal.SIGKILL)
    os.waitpid(started.pid, 0)
    (lab.find_lab_folder(state) / "lab.log").write_text(
        "Traceback\nerror: machine a broke: KeyError"
    )
    broken = lab.tell_end(state)
    lab.stop_lab(state)

    assert ("", "error: machine a broke: KeyError", "it was taken down") == (
        standing,
        broken,
        lab.tell_end(state),
    )


def test_lab_that_is_never_ready_is_ended(
    monkeypatch: pytest.MonkeyPatch, state: ClusterState
) -> None:
    """Waiting has an end, and leaves no process behind."""
    serve(monkeypatch, "import time; print('still waking up', flush=True); time.sleep(60)")
    monkeypatch.setattr(lab, "_START_TIMEOUT_S", 0.5)
    with pytest.raises(LifecycleError, match=r"lab is not ready after 0 s: still waking up"):
        lab.start_lab(state, TARGET)


def wait_for_arguments(pid: int) -> None:
    """Wait until a new process shows its arguments: they come a moment after `Popen` returns."""
    while not Path(f"/proc/{pid}/cmdline").read_bytes():
        time.sleep(0.001)


def start_silent(state: ClusterState) -> subprocess.Popen[bytes]:
    """Start what looks like a lab of this state and never answers."""
    folder = lab.find_lab_folder(state)
    sleeper = "import time; time.sleep(60)"
    argv = [sys.executable, "-c", sleeper, "-m", "lab", "serve", "--dir", str(folder)]
    silent = subprocess.Popen(argv)
    wait_for_arguments(silent.pid)
    return silent


def test_remains_of_a_killed_start_are_ended(state: ClusterState) -> None:
    """A lab whose starter was killed before it was ready does not keep its addresses."""
    with start_silent(state) as remains:
        lab.stop_lab(state)

        assert remains.poll() is not None


def test_lab_that_does_not_answer_has_not_ended(state: ClusterState) -> None:
    """A run goes on while its lab is busy; one that is killed is gone, waited for or not."""
    with start_silent(state) as busy:
        while_busy = lab.tell_end(state)
        busy.kill()
        os.waitid(os.P_PID, busy.pid, os.WEXITED | os.WNOWAIT)

        assert ("", "it was taken down") == (while_busy, lab.tell_end(state))


def test_stale_description_is_no_lab(state: ClusterState) -> None:
    """The lab.json of a process that is gone, or half a file, is not taken for a lab."""
    folder = lab.find_lab_folder(state)
    folder.mkdir()
    (folder / "lab.json").write_text('{"pid": 1, "repo": "/r", "clus')

    assert lab.find_lab(state) is None


def test_speed_of_a_standing_lab_cannot_change(
    monkeypatch: pytest.MonkeyPatch, state: ClusterState
) -> None:
    """Another speed than the standing lab's is refused with the way out."""
    serve(monkeypatch, SERVES)
    standing = lab.start_lab(state, TARGET)
    lab.stop_lab(state)
    with pytest.raises(PlanError) as caught:
        check_lab(standing, ClusterRequest(None, "", LabRequest(speed=5.0)))

    assert "invoke lab.down" in caught.value.hint


def test_kubernetes_of_a_standing_lab_cannot_change(
    monkeypatch: pytest.MonkeyPatch, state: ClusterState
) -> None:
    """A real pair is asked for and the lab that stands runs its own: refused, not passed over."""
    serve(monkeypatch, SERVES)
    standing = lab.start_lab(state, TARGET)
    lab.stop_lab(state)
    wanted = ClusterRequest(None, "", LabRequest(assets=Path("/pair")))
    with pytest.raises(PlanError, match="not the pair of `/pair`") as caught:
        check_lab(standing, wanted)

    assert "invoke lab.down" in caught.value.hint
    check_lab(replace(standing, kubernetes="kube-apiserver v1.35.4"), wanted)

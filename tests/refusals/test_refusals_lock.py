"""Two runs at once on one cluster: the second one is refused, a dead one's lock is taken over."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from lifecycle.store import read_holder
from tests.refusals.refusals_lab import Place, RefusalLab

_TIMEOUT_S = 60.0


@pytest.fixture
def held(fresh: RefusalLab) -> Iterator[subprocess.Popen[str]]:
    """A run that holds file lock and Lease, and stands still; it is killed afterwards."""
    process = fresh.start_bootstrap()
    try:
        wait_for_line(fresh, f"pid {process.pid} run", process)
        process.send_signal(signal.SIGSTOP)
        yield process
    finally:
        process.kill()
        process.communicate()


def test_second_run_of_this_state_is_refused(
    fresh: RefusalLab, held: subprocess.Popen[str]
) -> None:
    """The file lock names the process and the run that have the cluster."""
    acts = fresh.acts()
    holder = read_holder(fresh.state.lock)
    assert holder is not None

    said = fresh.bootstrap()

    assert 3 == said.code
    assert f"by process {held.pid} of {holder.user} on {holder.host}, run `bootstrap-" in said.error
    assert "invoke status" in said.hint
    assert f"kill -INT {held.pid}" in said.hint
    assert acts == fresh.acts()


def test_run_from_another_machine_is_refused_then_takes_over(
    fresh: RefusalLab, held: subprocess.Popen[str], place: Place
) -> None:
    """Another state folder is another laptop: the Lease refuses it while the holder lives.

    When the holder is dead, the next run takes Lease and cluster over and brings it up. The run
    that was killed can be run again, too, and has nothing left to do but look.
    """
    other = _share_lab(fresh, place)

    refused = other.bootstrap()
    held.kill()
    held.communicate()
    taken = other.bootstrap()
    again = fresh.bootstrap()

    assert 3 == refused.code
    assert f"cluster is locked: `main` by process {held.pid} of " in refused.error
    assert "60 s after its last renewal" in refused.hint
    assert 0 == taken.code, taken.output
    assert 0 == again.code, again.output
    assert "resuming run" in again.stderr
    assert 1 == fresh.acts()["etcd.bootstrap"]


def wait_for_line(lab: RefusalLab, text: str, process: subprocess.Popen[str]) -> None:
    """Wait until the log of a run has a line with a text, such as the Lease's holder."""
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        if any(text in log.read_text(encoding="utf-8") for log in lab.state.runs.glob("*.jsonl")):
            return
        time.sleep(0.02)
    process.kill()
    pytest.fail(f"`{text}` is not in the log: {process.communicate()}")


def _share_lab(lab: RefusalLab, place: Place) -> RefusalLab:
    """Return the same lab as seen from a state folder of its own."""
    other = RefusalLab(place)
    other.state.folder.mkdir(parents=True)
    (other.state.folder / "world").symlink_to(lab.state.folder / "world")
    other.lab = lab.lab
    return other

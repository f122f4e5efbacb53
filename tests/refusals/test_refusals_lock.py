"""Two runs at once on one cluster: the second one is refused, a dead one's lock is taken over."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator

import pytest

from lifecycle.store import read_holder
from tests.refusals.refusals_lab import Place, RefusalLab, Said, finish


@pytest.fixture
def held(fresh: RefusalLab) -> Iterator[subprocess.Popen[str]]:
    """A run that holds file lock and Lease, and stands still; it is killed afterwards."""
    process = fresh.start_bootstrap()
    try:
        fresh.wait_for_line(process, "lock.acquired", f"pid {process.pid} run")
        process.send_signal(signal.SIGSTOP)
        yield process
    finally:
        process.kill()
        process.communicate()


def test_second_run_of_this_state_is_refused(
    fresh: RefusalLab, held: subprocess.Popen[str]
) -> None:
    """The file lock names the process and the run that have the cluster."""
    acts = fresh.acts_of_machines()
    holder = read_holder(fresh.state.lock)
    assert holder is not None

    said = fresh.bootstrap()

    assert 3 == said.code
    assert f"by process {held.pid} of {holder.user} on {holder.host}, run `bootstrap-" in said.error
    assert "invoke status" in said.hint
    assert f"kill -INT {held.pid}" in said.hint
    assert acts == fresh.acts_of_machines()


def test_run_from_another_machine_is_refused_then_takes_over(
    fresh: RefusalLab, held: subprocess.Popen[str], place: Place
) -> None:
    """Another state folder is another laptop: the Lease refuses it while the holder lives.

    When the holder is dead, the next run takes the Lease over at once. The run that was killed
    can be run again as soon as that one has given it back.
    """
    other = _share_lab(fresh, place)

    refused = other.bootstrap()
    held.kill()
    held.communicate()
    taken = take_lease(other)
    again = take_lease(fresh)

    assert 3 == refused.code
    assert f"cluster is locked: `main` by process {held.pid} of " in refused.error
    assert "60 s after its last renewal" in refused.hint
    assert (130, 130) == (taken.code, again.code)
    assert "resuming run" in again.stderr
    assert 1 == fresh.acts()["etcd.bootstrap"]


def take_lease(lab: RefusalLab) -> Said:
    """Run until the run holds the Lease, then stop it."""
    process = lab.start_bootstrap()
    lab.wait_for_line(process, "lock.acquired", f"pid {process.pid} run")
    process.send_signal(signal.SIGINT)
    return finish(process)


def _share_lab(lab: RefusalLab, place: Place) -> RefusalLab:
    """Return the same lab as seen from a state folder of its own."""
    other = RefusalLab(place)
    other.state.folder.mkdir(parents=True)
    (other.state.folder / "world").symlink_to(lab.state.folder / "world")
    other.lab = lab.lab
    return other

"""Killed while a machine's network fails, and run again while it still does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.crash_life import ONCE_ONLY, Life

pytestmark = [pytest.mark.crash, pytest.mark.timeout(600)]


_FAULTS = (
    "cut:sample-worker-1@apply-machine-config/sample-worker-1+30",
    "slowed:sample-control-1@bootstrap-etcd+60",
    "partitioned:sample-worker-1@install-flux+60",
)
_WANTED = {"apply-machine-config/sample-worker-1", "bootstrap-etcd", "install-flux"}


def test_killed_under_network_faults_and_run_again(tmp_path: Path) -> None:
    """The next run meets a fault where the last one left it, and comes to the same end."""
    life = Life(tmp_path / "life", "middle", tmp_path / "covered", _FAULTS, only=_WANTED)
    try:
        covered = life.run_until_converged()
        acts = life.read_acts_of_once()
    finally:
        life.stop()

    assert covered == _WANTED
    assert dict.fromkeys(acts, 1) == acts
    assert len(acts) >= len(ONCE_ONLY)

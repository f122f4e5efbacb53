"""The promise of the whole project: killed at any moment, simply run again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.crash_life import ONCE_ONLY, Life

pytestmark = [pytest.mark.crash, pytest.mark.timeout(1200)]

# Acts that the sample never needs: nothing is held there, and Flux fetches by itself.
_NEVER_NEEDED = frozenset({"release-held", "fetch-commit"})
_MOST_LIVES = 8


@pytest.mark.parametrize("moment", ["enter", "begin", "middle", "end"])
def test_killed_at_every_step_and_run_again(tmp_path: Path, moment: str) -> None:
    """Whatever step a run is killed at, at whatever moment, the next run goes on.

    A bootstrap of the sample is killed with SIGKILL at each step (at `enter` at each gate, too),
    one after the other, until it converges. Steps that run side by side may be done when their
    turn comes; those are met in the life of another lab. Everything once-only happened exactly
    once, and no file left behind holds a secret of the repository.
    """
    missing: set[str] = set()
    for number in range(_MOST_LIVES):
        life = Life(tmp_path / str(number), moment, tmp_path / "covered")
        try:
            covered = life.run_until_converged()
            acts = life.read_acts_of_once()
            leaks = life.find_leaks()
        finally:
            life.stop()

        assert dict.fromkeys(acts, 1) == acts
        assert len(acts) >= len(ONCE_ONLY)
        assert [] == leaks
        expected = life.read_plan("all") if moment == "enter" else life.read_plan("steps")
        missing = expected - covered - _NEVER_NEEDED
        if not missing:
            break
    assert set() == missing

"""Faults as a user makes them on the command line: named, cleared, and refused when mistyped."""

from __future__ import annotations

import json
from pathlib import Path

from lifecycle.engine import RunState
from tests.refusals.refusals_lab import RefusalLab

WORKER = "sample-worker-1"


def test_fault_of_a_run_is_answered_and_cleared(bare: RefusalLab) -> None:
    """A standing lab is given the fault, the run answers it, and `lab.fault` ends it."""
    said = bare.refuse("--fault", f"no-disk:{WORKER}@machine-is-known/{WORKER}")
    cleared = bare.place.run("lab.fault", "--clear", "no-disk", "--json")

    assert 4 == said.code
    assert f"no disk of {WORKER} matches" in said.error
    assert RunState.FAILED == bare.last_run()[0]
    assert "cleared: 1\n" == cleared.stderr
    assert ([], []) == tuple(json.loads(cleared.stdout)[key] for key in ("on", "waiting"))


def test_mistyped_fault_is_refused(bare: RefusalLab) -> None:
    """A name that is none, in a run and in a standing lab, is told with the nearest one."""
    run = bare.refuse("--fault", "tow-disks")
    lab = bare.place.run("lab.fault", "--set", "silent:sample-worker-2")

    assert (2, 2) == (run.code, lab.code)
    assert ("error: fault is unknown: `tow-disks`", "hint: did you mean `two-disks`?") == (
        run.error,
        run.hint,
    )
    assert "machine is unknown: `sample-worker-2`" in lab.error
    assert f"hint: did you mean `{WORKER}`?" == lab.hint


def test_mistyped_file_of_faults_is_refused(bare: RefusalLab, tmp_path: Path) -> None:
    """The place in the file is told, and nothing is made to go wrong."""
    file = tmp_path / "faults.yaml"
    file.write_text("faults:\n  - fault: tow-disks\n")
    said = bare.refuse("--faults", str(file))

    assert 2 == said.code
    assert f"error: {file}:2:5: fault is unknown: `tow-disks`" == said.error
    assert "hint: did you mean `two-disks`?" == said.hint


def test_step_that_is_none_is_refused(bare: RefusalLab) -> None:
    """A fault that waits for a step that never comes would be a rehearsal that is too easy."""
    said = bare.refuse("--fault", "silent@instal-flux")
    bare.place.run("lab.fault", "--clear", "silent")

    assert 2 == said.code
    assert "step that a fault waits for is unknown: `instal-flux`" in said.error
    assert "hint: did you mean `install-flux`?" == said.hint
    assert "take it back first: `invoke lab.fault --clear silent:" in said.stderr

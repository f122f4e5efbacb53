"""Ctrl-C: once to stop at the next safe point, twice to stop at once; then simply run again."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Sequence

from lifecycle.engine import RunState
from tests.refusals.refusals_lab import RefusalLab, Said, finish

WORKER = "sample-worker-1"
PROBED_MACHINE = ('"command.started"', f'"machine-is-known/{WORKER}"')
APPLIED_CONFIG = ('"step.started"', f'"apply-machine-config/{WORKER}"')
INSTALLED_FLUX = ('"step.started"', '"install-flux"')


def test_interrupted_at_each_stop_and_run_again(fresh: RefusalLab) -> None:
    """A run stopped gently, then at once, then with SIGTERM still ends where it should.

    Every stop says how to go on, leaves the journal interrupted and gives lock and Lease back,
    so that the next run neither waits nor is refused.
    """
    # Each stop is where the lab holds the run for as long as it takes to be stopped.
    with fresh.fault("silent", WORKER):
        at_once = interrupt(fresh, PROBED_MACHINE, signal.SIGINT, signal.SIGINT)
        after_at_once = fresh.last_run()
    with fresh.fault("slow-install", WORKER):
        gently = interrupt(fresh, APPLIED_CONFIG, signal.SIGINT)
        after_gently = fresh.last_run()
    with fresh.fault("unpullable", "source-controller"):
        terminated = interrupt(fresh, INSTALLED_FLUX, signal.SIGTERM)
        after_terminated = fresh.last_run()
    finished = fresh.bootstrap()

    assert [130, 130, 130, 0] == [said.code for said in (gently, at_once, terminated, finished)]
    for said in (gently, at_once, terminated):
        assert "bootstrap --lab --yes` goes on from here" in said.stderr
        assert "Traceback" not in said.output
    # Whether the act has ended by then is chance; that it is named is shown in tests/cli.
    assert re.search(r"stopping.*; Ctrl-C again stops at once", gently.stderr)
    assert "error: stopped at once" in at_once.stderr
    for state, _ in (after_gently, after_at_once, after_terminated):
        assert RunState.INTERRUPTED == state
    assert "resuming run" in finished.stderr
    assert (RunState.FINISHED, "") == fresh.last_run()
    acts = fresh.acts()
    assert 1 == acts["etcd.bootstrap"]
    assert 1 == acts[f"machine.install/{WORKER}"]


def interrupt(lab: RefusalLab, at: Sequence[str], *signals: signal.Signals) -> Said:
    """Run until its log has a line with the given texts, then send signals."""
    process = lab.start_bootstrap()
    lab.wait_for_line(process, *at)
    for number in signals:
        process.send_signal(number)
        time.sleep(0.02)  # two signals at the same moment are one
    return finish(process)

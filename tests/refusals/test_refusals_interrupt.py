"""Ctrl-C: once to stop at the next safe point, twice to stop at once; then simply run again."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping

import pytest

from lifecycle.engine import RunState
from tests.refusals.refusals_lab import RefusalLab, Said, finish

_TIMEOUT_S = 60.0


def test_interrupted_at_each_stop_and_run_again(fresh: RefusalLab) -> None:
    """A run stopped gently, then at once, then with SIGTERM still ends where it should.

    Every stop says how to go on, leaves the journal interrupted and gives lock and Lease back,
    so that the next run neither waits nor is refused.
    """
    gently = interrupt(fresh, "apply-machine-config/sample-worker-1", signal.SIGINT)
    after_gently = fresh.last_run()
    at_once = interrupt(fresh, "create-namespaces", signal.SIGINT, signal.SIGINT)
    after_at_once = fresh.last_run()
    terminated = interrupt(fresh, "install-flux", signal.SIGTERM)
    after_terminated = fresh.last_run()
    finished = fresh.bootstrap()

    assert [130, 130, 130, 0] == [said.code for said in (gently, at_once, terminated, finished)]
    for said in (gently, at_once, terminated):
        assert "bootstrap --lab --yes` goes on from here" in said.stderr
        assert "Traceback" not in said.output
    assert re.search(
        r"stopping after: .*sample-worker-1.*; Ctrl-C again stops at once", gently.stderr
    )
    assert "error: stopped at once" in at_once.stderr
    for state, _ in (after_gently, after_at_once, after_terminated):
        assert RunState.INTERRUPTED == state
    assert "resuming run" in finished.stderr
    assert (RunState.FINISHED, "") == fresh.last_run()
    acts = fresh.acts()
    assert 1 == acts["etcd.bootstrap"]
    assert 1 == acts["machine.install/sample-worker-1"]


def test_machines_that_are_ours_are_gone_on_with(fresh: RefusalLab) -> None:
    """From another laptop, with nothing remembered, a configured machine of ours is no obstacle."""
    said = fresh.bootstrap()
    acts = _choose_of_machines(fresh.acts())
    for path in (fresh.state.talosconfig, fresh.state.kubeconfig, fresh.state.journal):
        path.unlink()

    again = fresh.bootstrap()

    assert (0, 0) == (said.code, again.code), again.output
    assert "ours, running" in again.stdout
    assert acts == _choose_of_machines(fresh.acts())


def _choose_of_machines(acts: Mapping[str, int]) -> Mapping[str, int]:
    """Return the acts that change machines or begin something; Flux goes on with its own."""
    kinds = ("etcd.", "machine.", "kubernetes.", "rpc.")
    return {name: count for name, count in acts.items() if name.startswith(kinds)}


def interrupt(lab: RefusalLab, step: str, *signals: signal.Signals) -> Said:
    """Run until a step begins, then send signals; returns how it ended."""
    process = lab.start_bootstrap()
    wait_for_step(lab, step, process)
    for number in signals:
        process.send_signal(number)
        time.sleep(0.02)  # two signals at the same moment are one
    return finish(process)


def wait_for_step(lab: RefusalLab, step: str, process: subprocess.Popen[str]) -> None:
    """Wait until the log says that the act of a step begins."""
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        if step in _read_started(lab):
            return
        time.sleep(0.005)
    process.kill()
    pytest.fail(f"`{step}` has not begun: {process.communicate()}")


def _read_started(lab: RefusalLab) -> Iterator[str]:
    for log in lab.state.runs.glob("*.jsonl"):
        for line in log.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("\n") and '"step.started"' in line:
                yield json.loads(line)["step"]

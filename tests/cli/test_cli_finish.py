"""The end of a task: signals that come before a run hears them, and after it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Says where it is, and waits for a signal in the command and for another after it.
PROGRAM = """
import signal, sys, time
from invoke.exceptions import Exit
from lifecycle.cli.finish import finish

# Shells start background jobs with SIGINT ignored, and that may be how the tests were started.
signal.signal(signal.SIGINT, getattr(signal, sys.argv[1]))

def command(arguments, environ):
    try:
        print("prepares", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        return 130

try:
    finish(command, None)
except Exit as end:
    print("ends", flush=True)
    sys.stdin.readline()
    sys.exit(end.code)
"""


@pytest.mark.parametrize(
    ("number", "interrupt"),
    [
        (signal.SIGINT, "default_int_handler"),
        (signal.SIGTERM, "default_int_handler"),
        (signal.SIGTERM, "SIG_IGN"),
    ],
)
def test_signals_outside_of_a_run_end_in_its_exit_code(
    number: signal.Signals, interrupt: str
) -> None:
    """The first one is a Ctrl-C wherever it comes; one more does not change the exit code."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, interrupt],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline()]
        process.send_signal(number)
        said.append(process.stdout.readline())
        process.send_signal(number)
        process.communicate("\n", timeout=30)

    assert ["prepares\n", "ends\n"] == said
    assert 130 == process.returncode

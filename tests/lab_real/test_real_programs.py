"""The folder with the pair, and processes that end with the lab."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.real import ProgramsError, find_programs

# Prints the number of a process that would sleep for a minute, and waits.
STARTS = """
import sys, time
from pathlib import Path
from lab.real.programs import Child
child = Child(Path("/bin/sleep"), ["60"], Path(sys.argv[1]) / "log")
print(child.pid, flush=True)
time.sleep(60)
"""


def make_program(path: Path, says: str) -> None:
    """Make a program that only says something."""
    path.write_text(f"#!/bin/sh\n{says}\n")
    path.chmod(0o700)


def test_versions_are_those_that_the_programs_say(tmp_path: Path) -> None:
    """What is said to be used is asked of what is there."""
    make_program(tmp_path / "kube-apiserver", "echo Kubernetes v1.35.4")
    make_program(tmp_path / "etcd", "echo 'etcd Version: 3.6.14'; echo Git SHA: x")
    found = find_programs(tmp_path)

    said = f"kube-apiserver v1.35.4 and etcd 3.6.14 of {tmp_path}"
    assert {said} == {found.describe(declared) for declared in ("", "v1.35.1", "${VERSION}")}
    assert f"{said}; the repository declares v1.36.3, which nodes tell" in found.describe("v1.36.3")


def test_folder_without_a_program_is_refused(tmp_path: Path) -> None:
    """The error names the folder, what it lacks, and both ways out."""
    make_program(tmp_path / "kube-apiserver", "echo Kubernetes v1.35.4")
    with pytest.raises(ProgramsError, match=f"without etcd: `{tmp_path}`") as caught:
        find_programs(tmp_path)

    assert ["unset KUBEBUILDER_ASSETS" in note for note in caught.value.__notes__] == [True]


def test_program_that_does_not_run_is_refused(tmp_path: Path) -> None:
    """A program of another processor, or half a download, is found before anything starts."""
    make_program(tmp_path / "kube-apiserver", "exit 3")
    make_program(tmp_path / "etcd", "echo etcd Version: 3")
    with pytest.raises(ProgramsError, match="kube-apiserver of KUBEBUILDER_ASSETS does not run"):
        find_programs(tmp_path)


def has_ended(pid: int) -> bool:
    """Tell whether a process is gone, or only waits for somebody to ask how it ended."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


def wait_until_ended(pid: int) -> bool:
    """Wait for a process to end, five seconds at most."""
    deadline = time.monotonic() + 5
    while not has_ended(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return has_ended(pid)


def test_process_ends_with_a_killed_lab(tmp_path: Path) -> None:
    """Whoever kills the lab with SIGKILL is left with no process of it."""
    with subprocess.Popen(
        [sys.executable, "-c", STARTS, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as lab:
        assert lab.stdout is not None
        pid = int(lab.stdout.readline())
        ran = not has_ended(pid)
        os.kill(lab.pid, signal.SIGKILL)

    assert (True, True) == (ran, wait_until_ended(pid))

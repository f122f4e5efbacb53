"""The two programs, and processes of them that never outlive the lab."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.real import tether

__all__ = ["Child", "Programs", "ProgramsError", "find_programs"]

# The convention of controller-runtime's envtest.
_VARIABLE = "KUBEBUILDER_ASSETS"
_NAMES = ("kube-apiserver", "etcd")
_ASK_TIMEOUT_S = 30.0
_TAIL_LINES = 10


class ProgramsError(ValueError):
    """The folder does not hold the pair; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the pair lies, and which versions it has."""

    apiserver: Path
    etcd: Path
    apiserver_version: str  # v1.35.4
    etcd_version: str  # 3.6.14

    def describe(self, declared: str = "") -> str:
        """Say what is used, for people; and where the repository declares another minor version."""
        folder = self.apiserver.parent
        used = f"kube-apiserver {self.apiserver_version} and etcd {self.etcd_version} of {folder}"
        is_version = declared.removeprefix("v")[:1].isdigit()
        if not is_version or _minor_of(declared) == _minor_of(self.apiserver_version):
            return used
        return (
            f"{used}; the repository declares {declared}, which nodes tell: kinds and rules are of "
            f"{_minor_of(self.apiserver_version)}"
        )


def _minor_of(version: str) -> str:
    """Return `1.35` of `v1.35.4`."""
    return ".".join(version.removeprefix("v").split(".")[:2])


def find_programs(folder: Path) -> Programs:
    """Find the pair in a folder, and ask both for their versions.

    Raises:
        ProgramsError: one is missing, or does not run.
    """
    for name in _NAMES:
        if not os.access(folder / name, os.X_OK) or not (folder / name).is_file():
            error = ProgramsError(f"{_VARIABLE} names a folder without {name}: `{folder}`")
            error.add_note(
                f"hint: put kube-apiserver and etcd there, or unset {_VARIABLE} for the lab's own"
            )
            raise error
    apiserver, etcd = (folder.absolute() / name for name in _NAMES)
    # `Kubernetes v1.35.4`, and `etcd Version: 3.6.14` in the first of several lines.
    return Programs(
        apiserver,
        etcd,
        apiserver_version=_ask_version(apiserver).rpartition(" ")[2],
        etcd_version=_ask_version(etcd).rpartition(" ")[2],
    )


def _ask_version(program: Path) -> str:
    try:
        answer = subprocess.run(
            [program, "--version"],
            capture_output=True,
            text=True,
            timeout=_ASK_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ProgramsError(f"{program.name} of {_VARIABLE} does not run: {error}") from error
    return answer.stdout.partition("\n")[0].strip()


class Child:
    """One process, with what it says in a log; the kernel ends it with the lab."""

    def __init__(self, program: Path, arguments: Sequence[str], log: Path) -> None:
        self._log = log
        command = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), str(program)]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=log.parent,
                env={"HOME": str(log.parent), "PATH": os.defpath},
            )

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Tell whether it has not ended."""
        return self._process.poll() is None

    def suspend(self, *, on: bool) -> None:
        """Let it stand still, or go on."""
        if self.runs:
            self._process.send_signal(signal.SIGSTOP if on else signal.SIGCONT)

    def read_tail(self) -> str:
        """Return the last lines that it said."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_TAIL_LINES:]) or "it said nothing"

    async def end(self, grace_s: float = 0.0) -> None:
        """Ask it to end, if it gets wall seconds for that, and then end it."""
        if grace_s:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self._process.wait, grace_s)
        if self.runs:
            self._process.kill()
        self._process.wait()

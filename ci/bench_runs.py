"""Runs one rehearsal for the benchmark, in folders of its own, and measures it from outside."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ci.bench_values import Chain, Pass, Rehearsal, find_first, read_chain

__all__ = ["Case", "FailedRunError", "rehearse"]

_ROOT = Path(__file__).resolve().parents[1]
_SAMPLE_EVERY_S = 0.05
_TAIL_LINES = 15


class FailedRunError(RuntimeError):
    """A run that was to be measured did not finish; the text ends with what it said."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is rehearsed: arguments of `bootstrap`, and of the tasks that name the same lab."""

    name: str
    target: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Ended:
    begun: float  # time.time()
    wall_s: float
    cpu_s: float
    peak_kib: int


def rehearse(case: Case, speed: float | None) -> Rehearsal:
    """Bootstrap in a new lab, run the same command once more, and take the lab down.

    Raises:
        FailedRunError: one of the commands failed.
    """
    with tempfile.TemporaryDirectory(prefix="talos-bench-") as folder:
        home = Path(folder)
        load = os.getloadavg()[0]
        pace = (f"--speed={speed:g}",) if speed else ()
        try:
            command = ("bootstrap", "--lab", "--yes", *case.target, *case.options, *pace)
            first = _invoke(home, command)
            lab = _Lab.find(home)
            chain, cpu_s, peak_kib = lab.read_chain(), lab.read_cpu_s(), lab.read_peak_kib()
            again = _invoke(home, command)
            return Rehearsal(
                name=case.name,
                speed=lab.speed,
                first=_describe(first, home, ready_s=max(0.0, lab.ready - first.begun)),
                again=_describe(again, home, ready_s=0.0),
                chain=chain,
                lab_cpu_s=cpu_s,
                lab_peak_kib=peak_kib,
                load=load,
            )
        finally:
            _invoke(home, ("lab.down", *case.target))


def _invoke(home: Path, arguments: Sequence[str]) -> _Ended:
    """Run one of the tasks to its end; processor time includes that of its children."""
    environment = {
        **os.environ,
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_CACHE_HOME": str(home / "cache"),
    }
    # A user has compiled modules; a benchmark that compiles them anew measures the compiler.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    # Answers of a real API server have no causes, so there would be no critical path.
    environment.pop("KUBEBUILDER_ASSETS", None)
    output = home / "output"
    before = _children_cpu_s()
    begun, clock = time.time(), time.perf_counter()
    with output.open("wb") as opened:
        process = subprocess.Popen(
            [sys.executable, "-m", "invoke", *arguments],
            cwd=_ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=opened,
            stderr=subprocess.STDOUT,
        )
        peak_kib = _watch(process)
    wall_s = time.perf_counter() - clock
    if process.returncode != 0:
        tail = "\n".join(output.read_text(errors="replace").splitlines()[-_TAIL_LINES:])
        raise FailedRunError(
            f"`invoke {' '.join(arguments)}` ended with {process.returncode}:\n{tail}"
        )
    return _Ended(begun, wall_s, _children_cpu_s() - before, peak_kib)


def _watch(process: subprocess.Popen[bytes]) -> int:
    """Wait for a process; returns its own peak memory, which the kernel forgets at its end."""
    peak_kib = 0
    while True:
        try:
            process.wait(_SAMPLE_EVERY_S)
        except subprocess.TimeoutExpired:
            peak_kib = max(peak_kib, _read_peak_kib(process.pid))
        else:
            return peak_kib


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _read_peak_kib(pid: int) -> int:
    """Read VmHWM of proc(5); 0 once the process has gone."""
    with _gone_is_nothing():
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


@contextmanager
def _gone_is_nothing() -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, ProcessLookupError):
        return


def _describe(ended: _Ended, home: Path, *, ready_s: float) -> Pass:
    """Add what the run's own log tells."""
    logs = [log for log in _find(home, "runs/*.jsonl") if log.stat().st_mtime >= ended.begun]
    for log in logs:
        with log.open(encoding="utf-8") as lines:
            probed = find_first(lines, "step.probed")
        if probed is not None and probed.timestamp() >= ended.begun:
            first_probe_s = probed.timestamp() - ended.begun
            return Pass(ended.wall_s, ready_s, first_probe_s, ended.cpu_s, ended.peak_kib)
    raise FailedRunError("the run left no log with a probe in it")


def _find(home: Path, pattern: str) -> list[Path]:
    return sorted((home / "state").rglob(pattern))


@dataclass(frozen=True, slots=True)
class _Lab:
    """The lab of a rehearsal, seen through its `lab.json`, its control socket and proc(5)."""

    pid: int
    speed: float
    control: str
    ready: float  # time.time() when it was

    @classmethod
    def find(cls, home: Path) -> _Lab:
        place = _find(home, "lab.json")[0]
        described = json.loads(place.read_text(encoding="utf-8"))
        ready = place.stat().st_mtime
        return cls(described["pid"], described["speed"], described["control"], ready)

    def read_chain(self) -> Chain:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.control)
            connection.sendall(b'{"do": "ledger"}\n')
            with connection.makefile(encoding="utf-8") as answers:
                return read_chain(json.loads(answers.readline()))

    def read_cpu_s(self) -> float:
        # Fields 14 to 17 of proc(5)'s stat: utime, stime, and those of children waited for. The
        # name before them may hold anything but ends with the last bracket.
        after_name = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
        return sum(map(int, after_name.split()[11:15])) / os.sysconf("SC_CLK_TCK")

    def read_peak_kib(self) -> int:
        return _read_peak_kib(self.pid)

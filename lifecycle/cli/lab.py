"""The lab as the command line sees it: a detached process, found by the `lab.json` it wrote.

The lab is started by name, `python -m lab serve`, and never imported. It is left standing after
a run, so that a killed run can go on and its cluster can be played with.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lifecycle.cli.requests import ClusterRequest
from lifecycle.errors import LifecycleError, PlanError, PreconditionError
from lifecycle.store import ClusterState

if TYPE_CHECKING:
    from lifecycle.report.values import Json

__all__ = [
    "StandingLab",
    "clear_state",
    "find_lab",
    "find_lab_folder",
    "make_lab_environment",
    "make_place_argv",
    "start_lab",
    "stop_lab",
    "tell_end",
    "value_of_lab",
]

_WORLD, _LOG = "world", "lab.log"
# Wall seconds: a large repository is encrypted file by file with the real sops first.
_START_TIMEOUT_S = 240.0
_STOP_TIMEOUT_S = 10.0
_POLL_S = 0.05
_TAIL_LINES = 10
# Exit codes of a lab that cannot be made of what it was given, and of a fault that there is not.
_REFUSED, _WRONG_FAULT = 2, 3


@dataclass(frozen=True, slots=True)
class StandingLab:
    """A lab that runs, as its `lab.json` describes it."""

    pid: int
    repo: Path
    cluster: str
    addresses: Mapping[str, str]
    path: tuple[Path, ...]
    env: Mapping[str, str]
    charts: tuple[Path, ...]
    speed: float
    control: Path
    kubernetes: str  # which real pair it runs; "" for its own


def find_lab_folder(state: ClusterState) -> Path:
    """Return the folder of the simulated world that belongs to a rehearsal's state."""
    return state.folder / _WORLD


def find_lab(state: ClusterState) -> StandingLab | None:
    """Return the lab that stands for this state; None when there is none, or its process ended."""
    lab = _read(find_lab_folder(state) / "lab.json")
    return lab if lab and _is_answering(lab) else None


def start_lab(
    state: ClusterState,
    target: ClusterRequest,
    tools: Sequence[Path] = (),
    *,
    meanwhile: Callable[[], None] = lambda: None,
) -> StandingLab:
    """Start a lab in a process of its own and wait until it is ready.

    A new lab is a new world: what is remembered of the old one, its journal included, is removed.
    `tools` are folders in which the lab finds helm, sops and kubectl before PATH; `meanwhile` is
    called while the lab starts.

    Raises:
        LifecycleError: the lab ended, or was not ready in time; the message ends with its log.
    """
    folder = find_lab_folder(state)
    _end_remains(folder)
    clear_state(state)
    folder.mkdir(mode=0o700)
    log = folder / _LOG
    with log.open("wb") as output:
        process = subprocess.Popen(
            _make_argv(folder, target, tools),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in the terminal is for the run, not for its world
            cwd=folder,
            env=make_lab_environment(),
        )
    try:
        meanwhile()
        lab = _wait_until_ready(folder, process, log)
    except BaseException:
        process.kill()
        process.wait()
        raise
    # It outlives this command on purpose; Popen would warn of a child that nobody waits for.
    process.returncode = 0
    return lab


def tell_end(state: ClusterState) -> str:
    """Return what a lab said last that is gone; "" while it stands, however busy it is."""
    folder = find_lab_folder(state)
    if find_lab(state) or any(_list_processes(folder)):
        return ""
    log = folder / _LOG
    return _read_tail(log).splitlines()[-1] if log.exists() else "it was taken down"


def stop_lab(state: ClusterState) -> bool:
    """End the lab and forget its world; returns whether one was standing."""
    if lab := find_lab(state):
        _end(lab.pid)
    _end_remains(find_lab_folder(state))
    clear_state(state)
    return lab is not None


def clear_state(state: ClusterState) -> None:
    """Remove everything of a rehearsal but its lock, which the caller holds."""
    for path in state.folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path != state.lock:
            path.unlink()
    state.create()


def value_of_lab(lab: StandingLab, state: ClusterState) -> Json:
    """Return a standing lab for machines: what tools need to reach its cluster."""
    return {
        "standing": True,
        "pid": lab.pid,
        "cluster": lab.cluster,
        "repo": str(lab.repo),
        "addresses": dict(lab.addresses),
        "path": [str(folder) for folder in lab.path],
        "speed": lab.speed,
        "kubernetes": lab.kubernetes or "the lab's own",
        "kubeconfig": str(state.kubeconfig),
        "talosconfig": str(state.talosconfig),
    }


def make_place_argv(
    command: str, folder: Path, target: ClusterRequest, tools: Sequence[Path]
) -> list[str]:
    """Return how a command of the lab is started for a repository."""
    # -P keeps a folder named `lab` in the working directory from being taken for ours.
    argv = [sys.executable, "-P", "-m", "lab", command, "--dir", str(folder)]
    if target.repo:
        argv += ["--repo", str(target.repo)]
    if target.cluster:
        argv += ["--cluster", target.cluster]
    if target.repo and target.age_key_file:
        argv += ["--age-key", str(target.age_key_file)]
    for path in tools:
        argv += ["--tools", str(path)]
    return argv


def _make_argv(folder: Path, target: ClusterRequest, tools: Sequence[Path]) -> list[str]:
    argv = make_place_argv("serve", folder, target, tools)
    for charts in target.charts:
        argv += ["--charts", str(charts)]
    if target.lab and target.lab.speed:
        argv += ["--speed", f"{target.lab.speed:g}"]
    for fault in target.lab.faults if target.lab else ():
        argv += ["--fault", fault]
    for path in target.lab.fault_files if target.lab else ():
        argv += ["--faults", str(path)]
    if target.lab and target.lab.assets:
        argv += ["--assets", str(target.lab.assets)]
    return argv


def make_lab_environment() -> dict[str, str]:
    """Return the environment of a process that runs a lab, or a command beside one."""
    # The lab lies beside this package, installed or in a checkout.
    root = str(Path(__file__).resolve().parents[2])
    others = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (root, others)))}


def _wait_until_ready(folder: Path, process: subprocess.Popen[bytes], log: Path) -> StandingLab:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        lab = _read(folder / "lab.json")
        if lab and _is_answering(lab):
            return lab
        if process.poll() is not None:
            raise _describe_end(process.returncode, log)
        time.sleep(_POLL_S)
    raise LifecycleError(
        f"lab is not ready after {_START_TIMEOUT_S:.0f} s: {_read_tail(log)}", hint=f"see {log}"
    )


def _describe_end(returncode: int, log: Path) -> LifecycleError:
    tail = _read_tail(log)
    if returncode in (_REFUSED, _WRONG_FAULT):
        message, _, hint = tail.rpartition("error: ")[2].partition("\nhint: ")
        kind = PlanError if returncode == _WRONG_FAULT else PreconditionError
        return kind(message, hint=hint or f"see {log}")
    is_incomplete = "No module named" in tail
    return LifecycleError(
        f"lab ended with exit code {returncode}: {tail}",
        hint="run `pip install 'talos-lifecycle[lab]'`" if is_incomplete else f"see {log}",
    )


def _read(path: Path) -> StandingLab | None:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return StandingLab(
            pid=int(raw["pid"]),
            repo=Path(raw["repo"]),
            cluster=str(raw["cluster"]),
            addresses=dict(raw["addresses"]),
            path=tuple(map(Path, raw["path"])),
            env=dict(raw["env"]),
            charts=tuple(map(Path, raw["charts"])),
            speed=float(raw["speed"]),
            control=Path(raw["control"]),
            kubernetes=str(raw["kubernetes"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not there, or being written


def _is_answering(lab: StandingLab) -> bool:
    """Tell whether the process lives and is the lab: its pid may belong to another by now."""
    try:
        os.kill(lab.pid, 0)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1.0)
            connection.connect(str(lab.control))
    except OSError:
        return False
    return True


def _end_remains(folder: Path) -> None:
    """End labs of this folder that do not answer: their starter was killed, or they hang.

    They would hold the addresses that the next lab needs.
    """
    for pid in _list_processes(folder):
        _end(pid)


def _list_processes(folder: Path) -> Iterator[int]:
    """Find the processes that are labs of this folder; one that has ended has no arguments."""
    wanted = "\0".join(("", "-m", "lab", "serve", "--dir", str(folder), "")).encode()
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            is_ours = wanted in process.read_bytes()
        except OSError:
            continue  # it ended meanwhile
        if is_ours:
            yield int(process.parent.name)


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        while time.monotonic() < deadline:
            _reap(pid)
            os.kill(pid, 0)
            time.sleep(_POLL_S)
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # started by an earlier command: init takes it


def _read_tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return "\n".join(lines[-_TAIL_LINES:]) or "it said nothing"

"""A rehearsal from outside: the command line in processes of its own, and what it leaves behind."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.tools import LabTools
from lifecycle.cli.lab import find_lab, find_lab_folder, stop_lab
from lifecycle.cli.lab_tools import find_lab_tools
from lifecycle.drivers.documents import JsonObject, as_object, list_at, parse_json, text_at
from lifecycle.store import ClusterState
from tests.lab_life import read_acts
from tests.refusals.refusals_lab import Place, Said, finish

__all__ = [
    "SPEED",
    "Rehearsal",
    "choose_once_only",
    "find_steps",
    "kill_when",
    "read_logs",
    "read_one_document",
]

SPEED = "60"
_TIMEOUT_S = 120.0
_LOGS = "lab/*"  # of rehearsals
# What happens once in a cluster's life, by the beginning of its name in the lab's ledger.
_ONCE_ONLY = ("etcd.bootstrap", "etcd.join/", "kubernetes.", "machine.", "rpc.", "helm.install/")


@dataclass(slots=True)
class Rehearsal:
    """A folder with a lab of its own.

    `words` say which repository it is of; `inputs` are what only plan and bootstrap are given.
    """

    place: Place
    words: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()

    @property
    def state(self) -> ClusterState:
        """The state of the one rehearsal in the folder."""
        (found,) = (self.place.folder / "state" / "talos-lifecycle" / "lab").iterdir()
        return ClusterState(found)

    def run(self, task: str, *words: str) -> Said:
        """Run a task on the rehearsal to its end."""
        return finish(self.start(task, *words))

    def start(self, task: str, *words: str) -> subprocess.Popen[str]:
        """Start a task on the rehearsal; bootstrap asks nothing."""
        consent = ("--yes",) if task == "bootstrap" else ()
        inputs = () if task == "status" else self.inputs
        return self.place.start(task, "--lab", *consent, *self.words, *inputs, *words)

    def kill_at(self, *texts: str) -> Said:
        """Bootstrap, and kill the run with SIGKILL at the first line of its log with all texts."""
        known = len(read_logs(self.place, _LOGS))
        return kill_when(
            self.start("bootstrap"), lambda: read_logs(self.place, _LOGS)[known:], *texts
        )

    def acts(self) -> Mapping[str, int]:
        """Ask the lab how often what must happen once has happened."""
        return choose_once_only(read_acts(self.state))

    def move_to_another_laptop(self) -> None:
        """Lose everything that runs have left, but not the lab: machines stand where they stand."""
        world = find_lab_folder(self.state)
        for path in list(self.state.folder.rglob("*")):
            if path != world and world not in path.parents and path.is_file():
                path.unlink()

    def list_own_files(self) -> Iterator[Path]:
        """List the files and folders that runs have made; the lab's own are not among them."""
        world = find_lab_folder(self.state)
        for path in (self.state.folder, *self.state.folder.rglob("*")):
            if path != world and world not in path.parents:
                yield path

    def list_objects(self, kind: str) -> list[JsonObject]:
        """Ask the lab's API with kubectl, as a user would."""
        lab = find_lab(self.state)
        assert lab is not None
        dialled = next(iter(lab.addresses.values()))
        kubectl = LabTools(path=find_lab_tools()).find("kubectl")  # pip alone brings it, too
        argv = (str(kubectl), "--kubeconfig", str(self.state.kubeconfig))
        server = ("--server", f"https://{dialled}:6443")
        said = finish(self.place.start_program(*argv, *server, "get", kind, "-A", "-o", "json"))
        assert 0 == said.code, said.stderr
        return [as_object(item) for item in list_at(read_one_document(said), "items")]

    def stop(self) -> None:
        """End the lab."""
        for found in (self.place.folder / "state" / "talos-lifecycle" / "lab").glob("*"):
            stop_lab(ClusterState(found))

    @classmethod
    def begin(
        cls,
        folder: Path,
        words: tuple[str, ...] = (),
        inputs: tuple[str, ...] = (),
        *,
        speed: str = SPEED,
    ) -> Rehearsal:
        """Start the lab; the test is skipped where the tools for it are missing."""
        rehearsal = cls(Place(folder), words, inputs)
        said = finish(rehearsal.place.start("lab.up", "--speed", speed, *words, *inputs))
        if "tool is missing" in said.stderr:
            pytest.skip(said.stderr.strip())

        assert 0 == said.code, said.output
        return rehearsal


def read_logs(place: Place, folders: str) -> list[str]:
    """Return every line that runs have logged, in the folders of some states."""
    logs = (place.folder / "state" / "talos-lifecycle").glob(f"{folders}/runs/*.jsonl")
    return [line for log in sorted(logs) for line in log.read_text("utf-8").splitlines()]


def kill_when(
    process: subprocess.Popen[str], read_log: Callable[[], Sequence[str]], *texts: str
) -> Said:
    """Kill a run with SIGKILL at the first line of its log that holds all texts."""
    deadline = time.monotonic() + _TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        if any(all(text in line for text in texts) for line in read_log()):
            break
        time.sleep(0.005)
    process.kill()
    return finish(process)


def read_one_document(said: Said) -> JsonObject:
    """Return the one JSON document on stdout; anything beside it is an error."""
    return as_object(parse_json(said.stdout))


def find_steps(said: Said) -> Mapping[str, JsonObject]:
    """Return the steps and gates of a result or a status, by name."""
    steps = [as_object(item) for item in list_at(read_one_document(said), "steps")]
    return {text_at(step, "name"): step for step in steps}


def choose_once_only(acts: Mapping[str, int]) -> Mapping[str, int]:
    """Leave out what Flux and kubelets do again and again."""
    return {name: count for name, count in acts.items() if name.startswith(_ONCE_ONLY)}

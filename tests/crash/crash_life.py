"""One life of a lab, in which a bootstrap is killed again and again until it converges."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from lab.tools import LabTools
from lifecycle.cli.lab import stop_lab
from lifecycle.cli.options import Arguments
from lifecycle.cli.rehearsing.child import run_child
from lifecycle.cli.rehearsing.killing import Killer
from lifecycle.store import ClusterState
from tests.lab_life import read_acts

__all__ = ["KILLED", "ONCE_ONLY", "Life"]

KILLED = -9
ONCE_ONLY = ("etcd.bootstrap", "kubernetes.create", "machine.install/", "machine.apply/")
_SPEED = "60"
_RUN_TIMEOUT_S = 240.0
_JANITOR_S = 3.0
_SHORTEST_SECRET = 8  # shorter ones stand in ordinary text, too
# Admin credentials belong into the state folder, 0600; the lab's own files are not the run's.
_ALLOWED = frozenset({"kubeconfig", "talosconfig"})
_LAB_FOLDER = "world"


@dataclass(slots=True)
class Life:
    """A folder with everything of one lab, its runs and their leftovers."""

    folder: Path
    moment: str
    covered: Path
    faults: Sequence[str] = ()  # that its first run makes
    only: Collection[str] = ()  # where it is killed; everywhere without

    def __post_init__(self) -> None:
        """Make the folders that the runs are confined to."""
        self.covered.touch()
        for name in ("state", "runtime", "tmp"):
            (self.folder / name).mkdir(parents=True)
        self.state.folder.mkdir(parents=True)

    @property
    def state(self) -> ClusterState:
        """The state of the sample's rehearsal."""
        return ClusterState(self.folder / "state" / "talos-lifecycle" / "lab" / "sample")

    def run_until_converged(self) -> set[str]:
        """Run, and run again after each kill; returns the steps and gates where it was killed.

        Raises:
            AssertionError: a run ended in another way than killed or finished.
        """
        covered = self.read_covered()
        while code := self._run_once():
            where = self.read_covered() - covered
            covered |= where

            assert code == KILLED, f"exit code {code} after {where}\n{self._tail()}"
            assert where, f"killed nowhere new\n{self._tail()}"
        return covered

    def read_covered(self) -> set[str]:
        """Return where the runs were killed."""
        return set(self.covered.read_text(encoding="utf-8").splitlines())

    def read_plan(self, part: str) -> set[str]:
        """Return the names in the plan: of `all`, or of the `steps` only."""
        plan: dict[str, list[str]] = json.loads((self.folder / "plan.json").read_text())
        return set(plan[part])

    def _run_once(self) -> int:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["lifecycle.cli.rehearsing.child"])
        faults, self.faults = self.faults, ()
        arguments = Arguments(is_lab=True, speed=_SPEED, yes=True, faults=faults)
        child = context.Process(
            target=_run_child,
            args=(self.folder, arguments, Killer(self.moment, self.covered, self.only)),
        )
        child.start()
        child.join(_RUN_TIMEOUT_S)
        if child.is_alive():
            child.kill()
            child.join()
            raise AssertionError(f"run did not end in {_RUN_TIMEOUT_S:g} s\n{self._tail()}")
        return child.exitcode or 0

    def _tail(self) -> str:
        log = self.folder / "output.log"
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-25:])

    def read_acts_of_once(self) -> Mapping[str, int]:
        """Ask the lab how often each act happened that must happen once."""
        acts = read_acts(self.state)
        return {name: count for name, count in acts.items() if name.startswith(ONCE_ONLY)}

    def find_leaks(self) -> list[str]:
        """Name every file that a run left with a secret of the repository in it."""
        secrets = self._read_secrets()
        deadline = time.monotonic() + _JANITOR_S
        while any((self.folder / "runtime").iterdir()) and time.monotonic() < deadline:
            time.sleep(0.05)  # the last janitor is still at work
        leaks = []
        for path in self._walk_leftovers():
            content = path.read_bytes()
            leaks += [f"{path}: {name}" for name, value in secrets.items() if value in content]
        return leaks

    def stop(self) -> None:
        """End the lab."""
        stop_lab(self.state)

    def _walk_leftovers(self) -> Iterator[Path]:
        caches = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "talos-lifecycle"
        for root in (self.folder, caches / "facts", caches / "charts"):
            for path in root.rglob("*"):
                is_labs = _LAB_FOLDER in path.relative_to(root).parts
                if path.is_file() and not is_labs and path.name not in _ALLOWED:
                    yield path

    def _read_secrets(self) -> Mapping[str, bytes]:
        """Decrypt what the lab encrypted; addresses are no secrets, every machine shows them."""
        world = self.state.folder / _LAB_FOLDER
        lab = json.loads((world / "lab.json").read_text(encoding="utf-8"))
        key_file = Path(lab["env"]["SOPS_AGE_KEY_FILE"])
        key = next(line for line in key_file.read_text().splitlines() if line.startswith("AGE-"))
        found = {"age key": key.encode()}
        repository = Path(lab["repo"])
        tools = LabTools(env=lab["env"])
        for path in repository.rglob("*.yaml"):
            if b"\nsops:" not in path.read_bytes():
                continue
            done = tools.run("sops", "decrypt", str(path))
            name = str(path.relative_to(repository))
            for index, value in enumerate(_find_values(yaml.safe_load(done))):
                found[f"{name} #{index}"] = value.encode()
        return found


def _run_child(folder: Path, arguments: Arguments, killer: Killer) -> None:
    """Run with everything below `folder`; ends the process with the run's exit code."""
    os.environ.update(
        XDG_STATE_HOME=str(folder / "state"),
        XDG_RUNTIME_DIR=str(folder / "runtime"),
        TMPDIR=str(folder / "tmp"),
    )
    os.environ.pop("KUBEBUILDER_ASSETS", None)  # the lab's own Kubernetes, whatever is at hand
    output = os.open(folder / "output.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os._exit(run_child(folder, arguments, killer))


def _find_values(document: object) -> Iterator[str]:
    if isinstance(document, dict):
        for key, value in document.items():
            if key not in {"apiVersion", "kind", "metadata", "type"}:
                yield from _find_values(value)
    elif isinstance(document, list):
        for item in document:
            yield from _find_values(item)
    elif isinstance(document, str) and _is_secret(document):
        yield document.strip()


def _is_secret(text: str) -> bool:
    has_letters = any(character.isalpha() for character in text)
    is_name = text.endswith("lab.example") or text.startswith("Notes") or "git.lab" in text
    return len(text) >= _SHORTEST_SECRET and has_letters and not is_name

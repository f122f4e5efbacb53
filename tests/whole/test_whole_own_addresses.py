"""Without `--lab`: the command line as on real machines, which answer at their own addresses.

The lab stands in a network namespace, so that the declared addresses are the ones that are
dialled; nothing tells the run that anything is simulated, and time is the wall's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.standins.install import install_standins
from lifecycle.drivers.documents import JsonObject, as_object, object_at, parse_json, text_at
from lifecycle.store import ClusterState
from tests.lab_life import read_acts
from tests.refusals.refusals_lab import ROOT, Place, Said, digest, finish
from tests.whole.whole_life import choose_once_only, find_steps, kill_when, read_logs

# A namespace is root's to make; anybody else is root of one that comes with its own users.
_IS_ROOT = os.geteuid() == 0
_UNSHARE = ("unshare", "--net") if _IS_ROOT else ("unshare", "--map-root-user", "--net")
_ENTER = ("--net",) if _IS_ROOT else ("--user", "--preserve-credentials", "--net")


@dataclass(slots=True)
class Network:
    """Machines at their declared addresses, and an operator's computer among them."""

    place: Place
    pid: int
    repo: Path
    charts: str
    world: ClusterState
    env: Mapping[str, str]

    @property
    def state(self) -> Path:
        """The state directory of the one cluster."""
        (found,) = (self.place.folder / "state" / "talos-lifecycle").iterdir()
        return found

    def start(self, task: str, *words: str) -> subprocess.Popen[str]:
        """Start a task of the operator's, in the network of the machines."""
        enter = ("nsenter", "--target", str(self.pid), *_ENTER)
        inputs = ("--charts", self.charts, "--yes") if task == "bootstrap" else ()
        argv = (task, "--repo", str(self.repo), *inputs, *words)
        invoke = str(Path(sys.executable).with_name("invoke"))
        return self.place.start_program(
            *enter, invoke, *argv, environ=self.place.environ(**self.env)
        )

    def run(self, task: str, *words: str) -> Said:
        """Run it to its end."""
        return finish(self.start(task, *words))

    def kill_at(self, *texts: str) -> Said:
        """Bootstrap, and kill the run with SIGKILL at the first line of its log with all texts."""
        return kill_when(self.start("bootstrap"), lambda: read_logs(self.place, "*"), *texts)


@dataclass(frozen=True, slots=True)
class Tale:
    """What was said, what the machines counted, and what is on the operator's disk."""

    killed: Said
    finished: Said
    again: Said
    acts: Mapping[str, int]
    before: Mapping[str, str]
    after: Mapping[str, str]
    modes: Mapping[str, int]


@pytest.fixture(scope="module")
def tale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tale]:
    """Kill a run while etcd begins, finish it, and run once more."""
    if not has_namespaces():
        pytest.skip("needs a network namespace of its own: unshare, nsenter and ip of Linux")
    folder = tmp_path_factory.mktemp("own")
    process = subprocess.Popen(
        [*_UNSHARE, sys.executable, "-m", "tests.whole.own_network", str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        told = as_object(parse_json(process.stdout.readline()))
        yield tell(open_network(folder, process.pid, told))
        process.communicate()
    assert 0 == process.returncode


def has_namespaces() -> bool:
    """Tell whether this computer lets us have a network of our own."""
    if not all(shutil.which(program) for program in ("unshare", "nsenter", "ip")):
        return False
    tried = subprocess.run(
        [*_UNSHARE, "ip", "link", "set", "lo", "up"], check=False, capture_output=True
    )
    return tried.returncode == 0


def open_network(folder: Path, pid: int, told: JsonObject) -> Network:
    """Give the operator the tools: real ones on PATH, or what the lab has in their place."""
    own = folder / "operator" / "bin"
    install_standins(own, ["clustertool"])  # the real one asks the internet, which is not there
    path = os.pathsep.join((str(own), text_at(told, "bin"), os.environ["PATH"]))
    env = {name: str(value) for name, value in object_at(told, "env").items()}
    return Network(
        place=Place(folder / "operator"),
        pid=pid,
        repo=Path(text_at(told, "repo")),
        charts=text_at(told, "charts"),
        world=ClusterState(Path(text_at(told, "state"))),
        env={**env, "PATH": path},
    )


def tell(network: Network) -> Tale:
    """Kill, finish, run again."""
    before = digest(network.repo)
    killed = network.kill_at("bootstrap-etcd", "step.started")
    finished = network.run("bootstrap", "--json")
    assert 0 == finished.code, finished.stderr
    return Tale(
        killed=killed,
        finished=finished,
        again=network.run("bootstrap", "--json"),
        acts=choose_once_only(read_acts(network.world)),
        before=before,
        after=digest(network.repo),
        modes={
            name: (network.state / name).stat().st_mode & 0o777
            for name in ("", "kubeconfig", "talosconfig")
        },
    )


def test_cluster_comes_up_without_a_lab(tale: Tale) -> None:
    """The run that goes on from a killed one does everything."""
    assert -9 == tale.killed.code
    assert {"done"} == {text_at(step, "state") for step in find_steps(tale.finished).values()}


def test_what_happens_once_happened_once(tale: Tale) -> None:
    """Machines were given their configs, etcd began and releases were installed once each."""
    assert tale.acts["etcd.bootstrap"] == 1
    assert dict.fromkeys(tale.acts, 1) == tale.acts


def test_second_run_changes_nothing(tale: Tale) -> None:
    """It finds everything done."""
    assert 0 == tale.again.code, tale.again.stderr
    steps = find_steps(tale.again).values()
    assert [] == [text_at(step, "name") for step in steps if step["changed"]]


def test_tree_is_untouched_and_credentials_are_private(tale: Tale) -> None:
    """Nothing is written beside the state directory, which is its owner's alone."""
    assert tale.before == tale.after
    assert {"": 0o700, "kubeconfig": 0o600, "talosconfig": 0o600} == dict(tale.modes)

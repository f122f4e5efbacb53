"""The sample from bare machines to its last application, on a real kube-apiserver and etcd.

One rehearsal is told from its beginning to its end; each test looks at one part of the tale.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from lifecycle.cli.lab import find_lab
from lifecycle.drivers.documents import JsonObject, text_at
from tests.lab_kubernetes.real_apiserver import VARIABLE, explain_missing
from tests.lab_real.real_processes import list_programs
from tests.refusals.refusals_lab import Place, Said
from tests.whole.whole_life import Rehearsal, find_steps

pytestmark = pytest.mark.tools


@dataclass(frozen=True, slots=True)
class RealPlace(Place):
    """A place whose labs run the real pair."""

    def environ(self, **more: str) -> dict[str, str]:
        """Return the environment of a command, with the folder of the pair."""
        return Place.environ(self, **{VARIABLE: os.environ[VARIABLE], **more})


@dataclass(frozen=True, slots=True)
class Tale:
    """What was said, what the lab counted, and what is left."""

    killed: Said
    finished: Said
    acts: Mapping[str, int]
    again: Said
    acts_again: Mapping[str, int]
    status: Said
    nodes: Sequence[JsonObject]
    programs: Sequence[str]  # that ran for the lab
    left: Sequence[str]  # of these, after the lab was killed


@pytest.fixture(scope="module")
def tale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tale]:
    """Live through it once."""
    if reason := explain_missing():
        pytest.skip(reason)
    rehearsal = Rehearsal(RealPlace(tmp_path_factory.mktemp("real")))
    try:
        yield tell(rehearsal)
    finally:
        rehearsal.stop()


def tell(rehearsal: Rehearsal) -> Tale:
    """Kill the run in the middle, go on, run again, and kill the lab."""
    killed = rehearsal.kill_at("step.started", "apply-layer/kube-system")
    finished = rehearsal.run("bootstrap", "--json")
    acts = rehearsal.acts()
    again = rehearsal.run("bootstrap", "--json")
    acts_again = rehearsal.acts()
    status = rehearsal.place.run("lab.status")
    nodes = rehearsal.list_objects("nodes")
    programs = sorted(list_programs(rehearsal.place.folder))
    lab = find_lab(rehearsal.state)
    assert lab is not None
    os.kill(lab.pid, signal.SIGKILL)
    return Tale(
        killed=killed,
        finished=finished,
        acts=acts,
        again=again,
        acts_again=acts_again,
        status=status,
        nodes=nodes,
        programs=programs,
        left=wait_for_none(rehearsal.place.folder),
    )


def wait_for_none(folder: Path) -> Sequence[str]:
    """Wait for the programs of a folder to end, five seconds at most."""
    deadline = time.monotonic() + 5
    while list_programs(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    return sorted(list_programs(folder))


def test_run_is_gone_on_with(tale: Tale) -> None:
    """Killed in the middle and run again, the bootstrap ends as in the lab's own Kubernetes."""
    states = {text_at(step, "state") for step in find_steps(tale.finished).values()}

    assert (-signal.SIGKILL, 0) == (tale.killed.code, tale.finished.code), tale.finished.output
    assert {"done"} == states
    assert 1 == tale.acts["etcd.bootstrap"]


def test_second_run_changes_nothing(tale: Tale) -> None:
    """Everything that is needed holds on the real API server, too."""
    assert (0, tale.acts) == (tale.again.code, tale.acts_again), tale.again.output


def test_it_is_said_that_kubernetes_is_real(tale: Tale) -> None:
    """Nobody takes a rehearsal on the lab's own Kubernetes for one on the real pair."""
    folder = Path(os.environ[VARIABLE]).absolute()

    assert "lab: Kubernetes is real: kube-apiserver v" in tale.finished.stderr
    assert f" of {folder}" in " ".join(tale.status.output.split())


def test_nodes_are_ready_on_the_real_server(tale: Tale) -> None:
    """Both nodes are found with kubectl where the lab has put them."""
    assert 2 == len(tale.nodes)


def test_every_program_ends_with_a_killed_lab(tale: Tale) -> None:
    """One etcd and one kube-apiserver ran, and none is left."""
    assert (["etcd", "kube-apiserver"], []) == (list(tale.programs), list(tale.left))

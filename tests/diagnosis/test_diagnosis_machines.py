"""Why a machine or etcd is not as a step waits for it, from what the machines say of themselves."""

from __future__ import annotations

import pytest

from lifecycle.diagnosis.facts import Facts
from lifecycle.diagnosis.machines import (
    MachineSight,
    explain_etcd,
    explain_machine,
    take_machine_sight,
)
from lifecycle.drivers.talosctl import EtcdMember, Failure, MachineStatus
from lifecycle.drivers.talosctl.values import UnmetCondition
from tests.steps.conftest import MakeStepWorld, make_world

__all__ = ["make_world"]  # the fixture

RUNNING = MachineStatus("running", ready=True, unmet=())
WAITING = MachineStatus(
    "running", ready=False, unmet=(UnmetCondition("nodeReady", "node is not ready"),)
)


def see(
    name: str = "cp1", status: MachineStatus | None = RUNNING, failure: Failure | None = None
) -> MachineSight:
    """Make the sight of a control plane."""
    said = str(failure) if failure else ""
    return MachineSight(
        name, "10.77.0.11", is_control_plane=True, status=status, failure=failure, message=said
    )


@pytest.mark.parametrize(
    ("seen", "signature", "cause"),
    [
        (see(status=WAITING), "machine-unmet", "waits for nodeReady: node is not ready"),
        (see(status=None, failure=Failure.REFUSED), "machine-unreachable", "connection refused"),
        (
            see(status=None, failure=Failure.UNKNOWN_AUTHORITY),
            "machine-foreign",
            "is not this cluster's",
        ),
        (see(status=MachineStatus("installing", ready=True, unmet=())), "machine-under-way", ""),
    ],
)
def test_machine_that_is_not_ready(seen: MachineSight, signature: str, cause: str) -> None:
    """What a machine itself waits for, or why it says nothing, with the command to look on."""
    found = explain_machine(Facts(), seen)

    assert found is not None
    assert signature == found.signature
    assert cause in found.cause
    assert "10.77.0.11" in found.command


def test_machine_that_runs_is_no_cause() -> None:
    """Nothing is said of a machine that is ready."""
    assert explain_machine(Facts(), see()) is None


@pytest.mark.parametrize(
    ("members", "signature"),
    [
        ([EtcdMember("1", "cp1", (), (), is_learner=False)], "etcd-member-missing"),
        (
            [
                EtcdMember("1", "cp1", (), (), is_learner=False),
                EtcdMember("2", "cp2", (), (), is_learner=True),
            ],
            "etcd-learner",
        ),
    ],
)
def test_etcd_member_that_does_not_vote(members: list[EtcdMember], signature: str) -> None:
    """The declared control plane that is missing or a learner is named."""
    found = explain_etcd(Facts(), [see("cp1"), see("cp2")], members)

    assert found is not None
    assert signature == found.signature
    assert "`cp2`" in found.cause


def test_learner_is_named_before_who_cannot_join_for_it() -> None:
    """Etcd takes one learner at a time: another member is missing because of that one."""
    members = [
        EtcdMember("1", "cp1", (), (), is_learner=False),
        EtcdMember("3", "cp3", (), (), is_learner=True),
    ]
    found = explain_etcd(Facts(), [see("cp1"), see("cp2", WAITING), see("cp3")], members)

    assert found is not None
    assert ("etcd-learner", True) == (found.signature, "`cp3`" in found.cause)


async def test_fresh_machine_says_its_stage(make_world: MakeStepWorld) -> None:
    """A machine without a config is asked insecurely, and found in maintenance mode."""
    steps = make_world(["cp1"])
    machine = steps.lab.machines["cp1"]
    await steps.lab.machines.start()
    await steps.lab.until(lambda: machine.is_reachable)
    seen = await take_machine_sight(steps.world.talosctl, steps.world.first_control_plane)

    assert seen.status is not None
    assert "maintenance" == seen.status.stage

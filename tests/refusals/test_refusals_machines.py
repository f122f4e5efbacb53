"""Machines that a bootstrap must not touch, or cannot: refused before any of them is changed."""

from __future__ import annotations

import sys

import pytest

from lifecycle.engine import RunState
from tests.refusals.refusals_lab import RefusalLab, finish

WORKER = "sample-worker-1"
ADDRESS = "10.40.0.21"
DECLARED = "clusters/main/talos/talconfig.yaml:41:5"


def test_machine_of_another_cluster(bare: RefusalLab) -> None:
    """A configured machine whose certificate is of another CA stops the run."""
    with bare.fault("foreign-cluster", WORKER):
        said = bare.refuse()

    assert 4 == said.code
    assert f"machine belongs to another cluster: `{ADDRESS}` is configured" in said.error
    assert f"declared at {DECLARED}" in said.hint
    assert f"talosctl reset -n {ADDRESS}" in said.hint
    assert RunState.FAILED == bare.last_run()[0]


def test_machine_that_nobody_reaches(bare: RefusalLab) -> None:
    """A machine that stays silent ends the wait for it, with where its address is declared."""
    with bare.fault("unreachable", WORKER):
        said = bare.check_refusal(
            lambda: finish(
                bare.place.start_program(sys.executable, "-m", "tests.refusals.impatient")
            )
        )

    assert 6 == said.code
    assert f"{ADDRESS} does not answer: connection refused" in said.error
    assert DECLARED in said.hint
    assert RunState.FAILED == bare.last_run()[0]


@pytest.mark.parametrize(
    ("fault", "error", "hint"),
    [
        ("two-disks", f"2 disks of {WORKER} match {DECLARED}: /dev/sda (", "by serial or wwid"),
        (
            "no-disk",
            f"no disk of {WORKER} matches {DECLARED}: it has none that Talos could be installed to",
            "correct installDisk or installDiskSelector",
        ),
        (
            "disk-with-data",
            f"disk of {WORKER} holds data: /dev/sda (",
            f"--consent-disk {WORKER}, or choose another disk at {DECLARED}",
        ),
    ],
    ids=["two-disks", "no-disk", "disk-with-data"],
)
def test_disk_that_is_not_the_one(bare: RefusalLab, fault: str, error: str, hint: str) -> None:
    """The install disk must be exactly one, and empty unless its wiping was allowed."""
    with bare.fault(fault, WORKER):
        said = bare.refuse()

    assert 4 == said.code
    assert error in said.error
    assert hint in said.hint
    assert RunState.FAILED == bare.last_run()[0]


def test_consent_to_another_nodes_disk_is_none(bare: RefusalLab) -> None:
    """Consent names the node: that for one disk does not cover another."""
    with bare.fault("disk-with-data", WORKER):
        said = bare.refuse("--consent-disk", "sample-control-1")

    assert 4 == said.code
    assert f"disk of {WORKER} holds data" in said.error


def test_consent_allows_the_disk(bare: RefusalLab) -> None:
    """With consent for its node, a disk that holds data is the install disk; others still stop."""
    with bare.fault("foreign-cluster", "sample-control-1"), bare.fault("disk-with-data", WORKER):
        said = bare.refuse("--consent-disk", WORKER)

    assert "machine belongs to another cluster" in said.error
    assert WORKER not in said.error
    assert "maintenance, install disk /dev/sda" in said.stdout


def test_consent_to_a_node_that_is_none(bare: RefusalLab) -> None:
    """A mistyped name would silently allow nothing: it is refused with the nearest one."""
    said = bare.refuse("--consent-disk", "sample-worker-2")

    assert 2 == said.code
    assert "node whose disk may be wiped is unknown: `sample-worker-2`" in said.error
    assert f"hint: did you mean `{WORKER}`?" == said.hint


def test_taken_vip(bare: RefusalLab) -> None:
    """Something else answers on the address that the control planes are going to share."""
    with bare.listener_on("10.40.0.5", 6443):
        said = bare.refuse()

    assert 4 == said.code
    assert "something that is not this cluster answers on `10.40.0.5:6443`" in said.error
    assert "clusters/main/clusterenv.yaml" in said.hint
    assert RunState.FAILED == bare.last_run()[0]


def test_installer_image_that_does_not_exist(bare: RefusalLab) -> None:
    """A typing error in version or schematic is found before a machine tries to pull the image."""
    with bare.fault("absent-installer", "metal-installer"):
        said = bare.refuse()

    assert 4 == said.code
    assert "installer image of sample-control-1 does not exist: `factory.talos.dev/" in said.error
    assert "correct talosVersion, schematic or talosImageURL of clusters/main/talos/" in said.hint


def test_clock_that_is_a_day_ahead(bare: RefusalLab) -> None:
    """Certificates would be worthless on one side or the other, so both clocks are told."""
    with bare.fault("clock-ahead", WORKER):
        said = bare.refuse()

    assert 4 == said.code
    assert f"clocks contradict each other: {WORKER} made its certificate at " in said.error
    assert "compare `date -u` with a clock that you trust" in said.hint


def test_machine_that_follows_no_time_server(bare: RefusalLab) -> None:
    """It may be its config that names one: said, and no reason to refuse."""
    with bare.fault("time-not-synced", WORKER):
        said = bare.place.run("plan", "--lab", "--json")

    assert f"follows no time server yet: {WORKER}" in said.stdout

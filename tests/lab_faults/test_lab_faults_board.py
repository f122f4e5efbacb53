"""Faults as they are asked for, and the board that switches them at their moment."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from lab.clock import LabClock
from lab.faults import FAULTS, FaultBoard, FaultError, FaultRequest, Hands, parse_fault
from lab.faults.running import RUNNING_FAULTS
from lab.faults.schedule import PASSING
from lab.flux.faults import SourceFault
from lab.kubernetes.faults import PodFault
from lab.ledger import Ledger
from lab.machines.faults import Fault

Switched = list[tuple[str, str, bool]]


@dataclass
class Part:
    """Stands for machines, Kubernetes and registry: notes what is switched."""

    switched: Switched = field(default_factory=list)
    name: str = ""

    def __getitem__(self, name: str) -> Part:
        """Return one machine."""
        return Part(self.switched, name)

    def set_absent(self, part: str, *, on: bool = True) -> None:
        """Note an image."""
        self.switched.append((part, "absent", on))


class Machine(Part):
    """Stands for machines."""

    def __getitem__(self, name: str) -> Machine:
        """Return one machine."""
        return Machine(self.switched, name)

    def set_fault(self, name: str, *, on: bool = True) -> None:
        """Note a fault of a machine."""
        self.switched.append((self.name, name, on))


class Pods(Part):
    """Stands for Kubernetes."""

    def set_fault(self, target: str, fault: str, *, on: bool = True) -> None:
        """Note a fault of pods."""
        self.switched.append((target, fault, on))


@pytest.fixture
def switched() -> Switched:
    """What was switched, in order."""
    return []


@pytest.fixture
def board(switched: Switched) -> FaultBoard:
    """A board over two control planes and two workers, in a world a thousand times as fast."""
    hands = Hands(
        machines=Machine(switched),
        kubernetes=Pods(switched),
        registry=Part(switched),
        sources=Pods(switched),
        control_planes=("cp0", "cp1"),
        workers=("w1", "w2"),
    )
    return FaultBoard(LabClock(Ledger(), speed=1000.0), hands)


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("silent", FaultRequest("silent")),
        ("silent:w1", FaultRequest("silent", "w1")),
        ("silent:w1@30", FaultRequest("silent", "w1", seconds=30)),
        ("silent@1.5s", FaultRequest("silent", seconds=1.5)),
        ("silent@install-flux", FaultRequest("silent", step="install-flux")),
        (
            "unpullable:ghcr.io/x:1.0@apply-layer/apps",
            FaultRequest("unpullable", "ghcr.io/x:1.0", step="apply-layer/apps"),
        ),
        (
            "unpullable:ghcr.io/x@sha256:12",
            FaultRequest("unpullable", "ghcr.io/x@sha256:12"),
        ),
        ("silent:w1@30+60", FaultRequest("silent", "w1", seconds=30, lasting=60)),
        ("silent+60s", FaultRequest("silent", lasting=60)),
        (
            "unpullable:ghcr.io/x:1.0@apply-layer/apps+5",
            FaultRequest("unpullable", "ghcr.io/x:1.0", step="apply-layer/apps", lasting=5),
        ),
    ],
)
def test_fault_is_read(text: str, request_: FaultRequest) -> None:
    """Name, target and moment are told apart, also where an image's name holds their marks."""
    assert request_ == parse_fault(text)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("silence", "fault is unknown: `silence`", "did you mean `silent`?"),
        ("silent@", "fault ends in the middle: `silent@`", "write NAME[:TARGET]"),
        ("silent:", "fault ends in the middle: `silent:`", "write NAME[:TARGET]"),
        (
            "vip-of-node@30",
            "fault of the repository has neither target nor moment: `vip-of-node@30`",
            "write --fault vip-of-node: it picks its place",
        ),
    ],
)
def test_wrong_fault_is_refused(text: str, message: str, hint: str) -> None:
    """A typing error never makes a rehearsal that is too easy."""
    with pytest.raises(FaultError) as caught:
        parse_fault(text)

    assert message == str(caught.value)
    assert hint in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("silent:w3", "machine is unknown: `w3`", "there are: cp0, cp1, w1, w2"),
        ("etcd-learner:w1", "control plane is unknown: `w1`", "there are: cp0, cp1"),
        ("crashing", "fault needs a target: `crashing`", "write crashing:TARGET"),
        (
            "vip-of-node",
            "fault is in the repository from a lab's start on: `vip-of-node`",
            "`invoke lab.down`, then start one with --fault vip-of-node",
        ),
    ],
)
async def test_wrong_target_is_refused(
    board: FaultBoard, switched: Switched, text: str, message: str, hint: str
) -> None:
    """What does not exist cannot fail."""
    with pytest.raises(FaultError) as caught:
        board.set(parse_fault(text))

    assert (message, []) == (str(caught.value), switched)
    assert hint in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("text", "target"),
    [("silent", "w2"), ("etcd-learner", "cp1"), ("absent-installer", "installer")],
)
async def test_target_is_chosen(
    board: FaultBoard, switched: Switched, text: str, target: str
) -> None:
    """Without a target, a fault strikes the last machine that it can, or every installer."""
    board.set(parse_fault(text))

    assert [(target, True)] == [(name, is_on) for name, _, is_on in switched]


async def test_fault_that_takes_more_control_planes_is_refused(board: FaultBoard) -> None:
    """Where nobody joins, nobody stays a learner: the rehearsal would be too easy."""
    single = FaultBoard(board._clock, replace(board._hands, control_planes=("cp1",)))
    with pytest.raises(FaultError, match="does not apply to this cluster: `etcd-learner`"):
        single.set(parse_fault("etcd-learner"))

    assert [] == single.list_on()


async def test_fault_strikes_at_its_step(board: FaultBoard, switched: Switched) -> None:
    """It waits, lets other steps pass, and strikes once."""
    board.set(parse_fault("silent:w1@install-flux"))
    waiting = board.list_waiting()
    board.begin_step("install-cni")
    before = list(switched)
    board.begin_step("install-flux")
    board.begin_step("install-flux")

    assert ["silent:w1@install-flux"] == [str(request) for request in waiting]
    assert ([], [("w1", "silent", True)]) == (before, switched)
    assert ["silent:w1"] == [str(request) for request in board.list_on()]
    assert [] == board.list_waiting()


async def test_fault_strikes_at_its_time(board: FaultBoard, switched: Switched) -> None:
    """It strikes after simulated seconds, not before."""
    board.set(parse_fault("silent:w1@20"))
    before = list(switched)
    await asyncio.sleep(0.1)  # a hundred simulated seconds

    assert ([], [("w1", "silent", True)]) == (before, switched)
    assert [] == board.list_waiting()


async def test_fault_that_lasts_for_a_while_ends(board: FaultBoard, switched: Switched) -> None:
    """It is switched off by itself, after simulated seconds."""
    board.set(parse_fault("silent:w1+20"))
    during = list(map(str, board.list_on()))
    await asyncio.sleep(0.1)  # a hundred simulated seconds

    assert ["silent:w1"] == during
    assert [("w1", "silent", True), ("w1", "silent", False)] == switched
    assert [] == board.list_on()


async def test_fault_that_lasts_for_a_while_is_cleared_once(
    board: FaultBoard, switched: Switched
) -> None:
    """Whoever ends it earlier ends it for good."""
    board.set(parse_fault("silent:w1+20"))
    cleared = board.clear("silent")
    await asyncio.sleep(0.1)  # a hundred simulated seconds

    assert (1, 2) == (cleared, len(switched))


def test_schedule_of_a_seed_is_always_the_same(board: FaultBoard) -> None:
    """A seed names a schedule, another seed another one; each fault of it passes."""
    schedules = [board.make_schedule(seed) for seed in range(20)]

    assert [board.make_schedule(seed) for seed in range(20)] == schedules
    assert len(set(schedules)) > 15
    assert all(request.lasting and request.seconds for one in schedules for request in one)
    assert {request.name for one in schedules for request in one} <= set(PASSING)


async def test_broken_repository_stays_broken(board: FaultBoard) -> None:
    """A fault of the repository may be asked for again: a run that goes on repeats its command."""
    broken = FaultBoard(board._clock, board._hands, ["vip-of-node"])
    broken.set(parse_fault("vip-of-node"))

    assert ["vip-of-node"] == [str(request) for request in broken.list_on()]


async def test_cleared_fault_is_over(board: FaultBoard, switched: Switched) -> None:
    """What is on goes off, what waits never comes; without a target, all of that name."""
    for text in ("silent:w1", "silent:w2@5", "silent:cp1@install-cni", "no-disk:w1"):
        board.set(parse_fault(text))
    cleared = board.clear("silent")
    board.begin_step("install-cni")
    await asyncio.sleep(0.02)

    assert 3 == cleared
    assert [("w1", "silent", False)] == switched[2:]
    assert (["no-disk:w1"], []) == (list(map(str, board.list_on())), board.list_waiting())


def test_what_passes_is_in_the_catalogue() -> None:
    """A schedule is made of faults of the running world."""
    assert set(PASSING) <= {fault.name for fault in RUNNING_FAULTS}


def test_no_switch_is_left_out() -> None:
    """Whatever machines and pods can be made to do wrong is in the catalogue."""
    assert {*Fault, *PodFault, *SourceFault} <= {fault.name for fault in FAULTS}


@pytest.mark.parametrize("name", [fault.name for fault in RUNNING_FAULTS])
async def test_each_fault_can_be_switched(board: FaultBoard, switched: Switched, name: str) -> None:
    """Every fault of the catalogue reaches its part of the lab, on and off."""
    board.set(parse_fault(f"{name}:cp1"))
    board.clear(name)

    assert [True, False] == [is_on for _, _, is_on in switched]

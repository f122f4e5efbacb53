"""What a standing lab is asked over its control socket: faults most of all."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lifecycle.cli.options import check_name
from lifecycle.drivers.documents import (
    JsonObject,
    as_object,
    flag_at,
    list_at,
    number_at,
    object_at,
    parse_json,
    text_at,
    texts_at,
)
from lifecycle.engine import Event, EventName, Listener, Plan
from lifecycle.errors import LifecycleError, PlanError

if TYPE_CHECKING:
    from lifecycle.report.values import Json

__all__ = [
    "LabFaults",
    "Schedule",
    "act_on_hints",
    "clear_faults",
    "follow_repository",
    "follow_seed",
    "list_faults",
    "read_acts",
    "set_faults",
    "suggest_targets",
    "tell_schedule",
    "tell_steps",
]

# Wall seconds; the lab answers at once unless it is busy with something large.
_TIMEOUT_S = 30.0
_BEGINNINGS = (EventName.STEP_STARTED, EventName.GATE_ENTERED)


@dataclass(frozen=True, slots=True)
class LabFaults:
    """The faults of a lab: switched on, waiting for a moment, and all that there are.

    `waiting` has the step that each waits for, empty for a time; `known` what each does.
    """

    on: tuple[str, ...]
    waiting: tuple[tuple[str, str], ...]
    known: tuple[tuple[str, str, str], ...]

    def to_value(self) -> Json:
        """Return them for machines."""
        return {
            "on": list(self.on),
            "waiting": [{"fault": fault, "step": step} for fault, step in self.waiting],
            "known": [
                {"name": name, "target": target, "does": does} for name, target, does in self.known
            ],
        }


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a seed made, and the file that holds it."""

    seed: int
    faults: tuple[str, ...]
    file: str


def set_faults(control: Path, faults: Sequence[str], files: Sequence[Path] = ()) -> None:
    """Make things go wrong in a lab, as asked for and as files say.

    Raises:
        PlanError: there is no such fault or target, or a file is wrong.
    """
    for fault in faults:
        _ask(control, {"do": "set-fault", "fault": fault})
    for file in files:
        _ask(control, {"do": "set-faults", "file": str(file)})


def follow_repository(control: Path) -> bool:
    """Let a lab take what was committed since it began; returns whether its copy is an old one."""
    return flag_at(_ask(control, {"do": "follow"}), "is_old")


def follow_seed(control: Path, seed: int) -> Schedule:
    """Let a lab make a random schedule of faults and follow it."""
    answer = _ask(control, {"do": "schedule", "seed": str(seed)})
    return Schedule(seed, texts_at(answer, "faults"), text_at(answer, "file"))


def tell_schedule(schedule: Schedule | None, say: Callable[[str], None]) -> None:
    """Say what will go wrong, and how to have the same again."""
    if schedule is None:
        return
    say(f"lab: seed {schedule.seed} makes these faults; --faults {schedule.file} repeats them")
    for fault in schedule.faults:
        say(f"lab:   {fault}")


def clear_faults(control: Path, faults: Sequence[str]) -> int:
    """End faults, or take back those that wait; returns how many there were.

    Raises:
        PlanError: there is no such fault.
    """
    answers = [_ask(control, {"do": "clear-fault", "fault": fault}) for fault in faults]
    return sum(number_at(answer, "cleared") for answer in answers)


def list_faults(control: Path) -> LabFaults:
    """Ask a lab for its faults."""
    answer = _ask(control, {"do": "faults"})
    return LabFaults(
        on=texts_at(answer, "on"),
        waiting=tuple(
            (text_at(item, "fault"), text_at(item, "step")) for item in list_at(answer, "waiting")
        ),
        known=tuple(
            (text_at(item, "name"), text_at(item, "target"), text_at(item, "does"))
            for item in list_at(answer, "known")
        ),
    )


def read_acts(control: Path) -> Mapping[str, int]:
    """Ask a lab how often each act happened."""
    acts = object_at(_ask(control, {"do": "ledger"}), "acts")
    return {name: number_at(acts, name) for name in acts}


def suggest_targets(control: Path) -> Mapping[str, str]:
    """Ask a lab what faults can strike that must be given a target, by the kind of that."""
    answer = _ask(control, {"do": "targets"})
    return {kind: text_at(answer, kind) for kind in answer}


def act_on_hints(control: Path) -> None:
    """Let a lab do by hand what hints tell: deny requests in another's name, have Flux retry."""
    _ask(control, {"do": "retry"})


def tell_steps(control: Path | None, plan: Plan) -> tuple[Listener, ...]:
    """Return who tells the lab that a step begins; nobody when no fault waits for one.

    Raises:
        PlanError: a fault waits for what is no step or gate of the plan.
    """
    if control is None:
        return ()
    waiting = {step: fault for fault, step in list_faults(control).waiting if step}
    awaited = set(waiting)
    for step, fault in waiting.items():
        try:
            check_name("step that a fault waits for", step, (node.name for node in plan.nodes))
        except PlanError as error:
            # It waits in the lab, and would refuse the next run, too.
            what = fault.rpartition(f"@{step}")[0]
            error.hint += f"\ntake it back first: `invoke lab.fault --clear {what}`"
            raise

    def tell(event: Event) -> None:
        if event.name in _BEGINNINGS and event.step in awaited:
            _ask(control, {"do": "begin-step", "step": event.step})

    return (tell,) if awaited else ()


def _ask(control: Path, question: Mapping[str, str]) -> JsonObject:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_TIMEOUT_S)
            connection.connect(str(control))
            connection.sendall(json.dumps(question).encode() + b"\n")
            with connection.makefile(encoding="utf-8") as answers:
                answer = as_object(parse_json(answers.readline()))
    except (OSError, ValueError) as error:
        raise LifecycleError(
            f"lab does not answer at its control socket: `{control}`: {error}",
            hint="see whether it stands with `invoke lab.status`",
        ) from error
    if "error" in answer:
        hint = text_at(answer, "hint") or "`invoke lab.fault --known` lists the faults"
        raise PlanError(text_at(answer, "error"), hint=hint)
    return answer

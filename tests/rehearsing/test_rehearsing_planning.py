"""What a rehearsal is going to try, what it remembers, and how it reports."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from lab.faults.board import DESCRIBED
from lifecycle.cli.options import Arguments
from lifecycle.cli.rehearsing.command import NEEDS_TARGET
from lifecycle.cli.rehearsing.planning import make_schedule
from lifecycle.cli.rehearsing.record import open_record
from lifecycle.cli.rehearsing.report import describe_rows, draw_report, sum_up
from lifecycle.cli.rehearsing.runs import Plain
from lifecycle.cli.rehearsing.values import Known, Part, RehearseArguments, Row, Verdict
from lifecycle.errors import PlanError

KNOWN = (
    Known("silent", "machine", ("gate machine-is-known",)),
    Known("vip-of-node", "repository", ("finding vip-is-node",)),
)
PLAIN = Plain({"install-cni": "there"}, ("install-cni",), {"image": "ghcr.io/example/a:1"}, 10.5)
HELD = Row(Part.PLAIN, "plain", Verdict.HELD, "60 of 60 done", 14.0, 2)
FAILED = Row(Part.FAULTS, "silent", Verdict.FAILED, "nothing answered", 61.0, 1, "/logs/silent.log")
ABSENT = Row(Part.FAULTS, "vip-of-node", Verdict.DOES_NOT_APPLY, "no node declares one")
IDENTITY = {"commit": "abc", "version": "1"}


def test_targets_that_must_be_given_are_looked_for() -> None:
    """A rehearsal finds one for each fault that the lab refuses without."""
    assert {target.value for target in DESCRIBED} == NEEDS_TARGET


def test_everything_is_tried_unless_parts_are_named() -> None:
    """All parts and all faults, killed at the two moments that differ most."""
    schedule = make_schedule(RehearseArguments(), KNOWN)

    assert frozenset(Part) == schedule.parts
    assert (("enter", "end"), 0, KNOWN) == (schedule.moments, schedule.most_kills, schedule.faults)


def test_named_faults_are_all_that_is_tried() -> None:
    """A fault of the repository is validated and bootstrapped, and needs no plain run before."""
    arguments = RehearseArguments(Arguments(faults=["vip-of-node"]))
    schedule = make_schedule(arguments, KNOWN)

    assert frozenset({Part.FAULTS, Part.BROKEN}) == schedule.parts
    assert (KNOWN[1:], KNOWN[1:]) == (schedule.of_repository, schedule.broken)
    assert not schedule.needs_plain


def test_runs_are_counted_before_they_begin() -> None:
    """Each part says how many runs it takes and about how long, and all together."""
    only = "plain,kills,faults,broken"
    arguments = RehearseArguments(only=only, moments="end", kills="3")
    lines = make_schedule(arguments, KNOWN).describe(12)

    assert ["plain", "kills", "faults", "faults", "broken", "in"] == [
        line.split()[0] for line in lines
    ]
    assert "about 3 runs, killed at 3 steps (end)" in lines[1]
    assert "1 of the world, 2 runs each: about 0:" in lines[3]


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (
            RehearseArguments(only="plain,kill"),
            "part of a rehearsal is unknown: `kill`",
            "did you mean `kills`?",
        ),
        (
            RehearseArguments(moments="ent"),
            "moment of a kill is unknown: `ent`",
            "did you mean `enter`?",
        ),
        (
            RehearseArguments(Arguments(faults=["slient"])),
            "fault is unknown: `slient`",
            "did you mean `silent`?",
        ),
        (
            RehearseArguments(limit="soon"),
            "limit is no whole number above 0: `soon`",
            "write --limit 600",
        ),
        (
            RehearseArguments(kills="0"),
            "number of kills is no whole number above 0: `0`",
            "write --kills 5",
        ),
    ],
)
def test_mistyped_choice_is_refused(arguments: RehearseArguments, message: str, hint: str) -> None:
    """A rehearsal that leaves out what was meant would be too easy."""
    with pytest.raises(PlanError) as caught:
        make_schedule(arguments, KNOWN)

    assert (message, hint) == (caught.value.message, caught.value.hint)


def test_interrupted_rehearsal_goes_on(tmp_path: Path) -> None:
    """What held is not tried again, what failed is; also after a line was cut off."""
    file = tmp_path / "results.jsonl"
    record = open_record(file, IDENTITY, is_again=False)
    record.learn(PLAIN)
    for row in (HELD, FAILED):
        record.add(row)
    with file.open("a") as cut:
        cut.write('{"row": {"part": "fau')
    again = open_record(file, IDENTITY, is_again=False)

    assert (HELD, None) == (again.find(Part.PLAIN, "plain"), again.find(Part.FAULTS, "silent"))
    assert PLAIN == again.plain


@pytest.mark.parametrize(
    ("identity", "is_again"), [({**IDENTITY, "commit": "def"}, False), (IDENTITY, True)]
)
def test_another_rehearsal_begins_anew(
    tmp_path: Path,
    identity: dict[str, str],
    is_again: bool,  # noqa: FBT001 (a case)
) -> None:
    """Another commit, or --again, counts for nothing that was shown before."""
    file = tmp_path / "results.jsonl"
    open_record(file, IDENTITY, is_again=False).add(HELD)

    assert {} == open_record(file, identity, is_again=is_again).rows


def test_report_says_what_held_and_how_long_it_took() -> None:
    """One row each, and a line that sums up."""
    text = io.StringIO()
    Console(file=text, width=100).print(draw_report([HELD, FAILED, ABSENT]))
    shown = [" ".join(line.split()) for line in text.getvalue().splitlines()]

    assert "held plain 0:14 60 of 60 done" in shown
    assert "failed silent 1:01 nothing answered" in shown
    assert "does not apply vip-of-node no node declares one" in shown
    assert "1 held, 1 failed, 1 does not apply; 3 bootstraps, 1:15" == sum_up(
        [HELD, FAILED, ABSENT]
    )


def test_report_for_machines() -> None:
    """The same as one document."""
    value = describe_rows([FAILED], cluster="main", commit="abc", code=1, is_complete=True)

    assert isinstance(value, dict)
    assert (1, True, {"held": 0, "failed": 1, "does not apply": 0}) == (
        value["exit_code"],
        value["complete"],
        value["counts"],
    )

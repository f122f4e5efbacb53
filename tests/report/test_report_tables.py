"""Tables and JSON values before, after and between runs."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

from rich.console import Console, RenderableType

from lifecycle.engine import (
    Answer,
    Blocked,
    EventName,
    Failure,
    Needed,
    PlannedNode,
    RunRecord,
    RunResult,
    RunState,
    Satisfied,
    StepRecord,
    StepState,
    Unknown,
)
from lifecycle.errors import PermanentError, PlanError
from lifecycle.report.tables import draw_plan, draw_result, draw_status, draw_warnings
from lifecycle.report.values import (
    value_of_error,
    value_of_plan,
    value_of_result,
    value_of_status,
)
from tests.report.report_story import Plans

NOW = datetime(2026, 11, 23, 2, 10, tzinfo=UTC)

ANSWERS: dict[str, Answer] = {
    "a": Satisfied("kernel 6.12"),
    "b": Needed("2 manifests [new]"),
    "c": Blocked("VIP is taken: `10.0.0.1`", "release it"),
    "d": Unknown("no API yet"),
}


def show(renderable: RenderableType) -> str:
    """Draw without colour, 80 columns wide, trailing blanks removed."""
    console = Console(file=io.StringIO(), width=80, no_color=True, force_terminal=False)
    with console.capture() as capture:
        console.print(renderable)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def make_planned(plans: Plans) -> tuple[PlannedNode, ...]:
    """Build one node for each answer."""
    return tuple(
        PlannedNode(plans.make_step(name, f"Do {name}"), answer) for name, answer in ANSWERS.items()
    )


def make_record(state: RunState) -> RunRecord:
    """Build a run of which one step is done and one was under way."""
    return RunRecord(
        id="bootstrap-1",
        kind="bootstrap",
        cluster="home",
        state=state,
        started_at=datetime(2026, 11, 23, 2, 0, tzinfo=UTC),
        ended_at=None,
        resumed=1,
        message="",
        steps=(
            StepRecord("a", "Do a", StepState.DONE, 1, "all there", None, None),
            StepRecord("b", "Do b", StepState.RUNNING, 2, "1 of 3", NOW, None),
        ),
    )


def test_plan_table_shows_each_answer(plans: Plans) -> None:
    """The plan says of each step what its probe said, in words, and what there is to do."""
    planned = make_planned(plans)
    plan = plans.make_plan([], None)

    expected = """\
bootstrap home
 Now       Step or gate   What the probe says
───────────────────────────────────────────────────
 holds     Do a           kernel 6.12
 to do     Do b           2 manifests [new]
 blocked   Do c           VIP is taken: `10.0.0.1`
                          hint: release it
 unknown   Do d           no API yet
1 to do, 1 cannot be seen yet, 1 blocked, 1 already hold"""
    assert expected == show(draw_plan(plan, planned))


def test_plan_tells_a_reason_of_many_once(plans: Plans) -> None:
    """What cannot be seen for one reason does not repeat it in every row."""
    planned = tuple(
        PlannedNode(plans.make_step(name, f"Do {name}"), Unknown("no API yet")) for name in "abc"
    )
    shown = show(draw_plan(plans.make_plan([], None), planned))

    assert 1 == shown.count("no API yet")
    assert 3 == shown.count("unknown")


def test_plan_value_is_the_same_for_machines(plans: Plans) -> None:
    """The JSON plan counts what is to do and carries names, answers and hints."""
    value = json.loads(json.dumps(value_of_plan(plans.make_plan([]), make_planned(plans))))

    assert 3 == value["to_do"]
    assert ["satisfied", "needed", "blocked", "unknown"] == [n["answer"] for n in value["nodes"]]
    assert "release it" == value["nodes"][2]["hint"]


def test_result_tells_changed_from_unchanged(plans: Plans) -> None:
    """After the run: what was done, what held already, what failed, what was not begun."""
    nodes = [plans.make_step(name, f"Do {name}") for name in "abcd"]
    story = plans.begin(plans.make_plan(nodes))
    story.tell(EventName.STEP_SKIPPED, "a", seen="held")
    story.tell(EventName.STEP_STARTED, "b", attempt=1)
    story.tell(EventName.STEP_VERIFIED, "b", seen="all there", after_s=65)
    story.tell(EventName.STEP_STARTED, "c", attempt=1)
    story.tell(EventName.STEP_FAILED, "c", reason="disk is gone")
    result = RunResult(
        RunState.FAILED, (), (Failure("c", PermanentError("disk is gone", hint="replace it")),), 0
    )
    text = show(draw_result(story.board, result))
    causes = {"c": [{"cause": "a fire"}]}
    described = value_of_result(story.board, result, log="/l", resumed=0, causes=causes)
    value = json.loads(json.dumps(described))

    assert ["unchanged", "done", "failed", "not begun"] == [
        line.split("  ")[0].strip() for line in text.splitlines()[2:6]
    ]
    assert "bootstrap home failed: 2 of 4 done, 2 changed, 1:09" in text
    assert [False, True, True, False] == [step["changed"] for step in value["steps"]]
    assert [
        {"step": "c", "message": "disk is gone", "hint": "replace it", "diagnoses": causes["c"]}
    ] == value["failures"]


def test_result_folds_what_was_not_begun(plans: Plans) -> None:
    """A run that is refused at its beginning does not bury the reason under fifty empty rows."""
    nodes = [plans.make_step(f"s{number}", f"Do {number}") for number in range(9)]
    story = plans.begin(plans.make_plan(nodes))
    story.tell(EventName.STEP_STARTED, "s0", attempt=1)
    story.tell(EventName.STEP_FAILED, "s0", reason="disk is gone")
    result = RunResult(RunState.FAILED, (), (), 0)
    rows = show(draw_result(story.board, result)).splitlines()[2:]

    assert 3 == len(rows)
    assert "not begun   Do 1, and 7 more, to: Do 8" in rows[1]


def test_killed_run_says_so_and_how_to_go_on() -> None:
    """A run that the journal calls running, and that nobody runs, was killed."""
    record = make_record(RunState.RUNNING)
    text = show(draw_status(record, is_killed=True, now=NOW, log="/s/runs/bootstrap-1.jsonl"))
    value = json.loads(json.dumps(value_of_status(record, is_killed=True, log="/l")))

    expected = """\
bootstrap home: killed, resumed once
 State     Step or gate   Tries   What was last seen
─────────────────────────────────────────────────────
 done      Do a               1   all there
 cut off   Do b               2   1 of 3
1 of 2 done
nobody is running it: the same command again goes on
run bootstrap-1
log /s/runs/bootstrap-1.jsonl"""
    assert expected == text
    assert "killed" == value["state"]


def test_run_under_way_names_its_holder() -> None:
    """While a run goes on, status tells which process it is."""
    record = make_record(RunState.RUNNING)
    text = show(draw_status(record, is_killed=False, now=NOW, log="", holder="process 7"))

    assert "bootstrap home: running" in text
    assert "held by process 7" in text


def test_warnings_are_named_as_such() -> None:
    """What cannot be undone is said before the question."""
    assert "warning: wipes the disk of a" == show(draw_warnings(["wipes the disk of a"]))


def test_error_value_carries_hint_and_code() -> None:
    """In JSON mode an error is a document, too."""
    assert {
        "error": {"kind": "PlanError", "message": "no such", "hint": "try", "exit_code": 2}
    } == value_of_error(PlanError("no such", hint="try"))

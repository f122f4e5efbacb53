"""What a person sees while a run goes on."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from lifecycle.engine import EventName
from lifecycle.report.board import Board
from lifecycle.report.layout import choose_lines
from lifecycle.report.live import LiveTable, PlainLines, draw_board
from tests.report.report_story import Plans, Story


def draw(board: Board, *, height: int = 24, encoding: str = "utf-8") -> list[str]:
    """Draw a board on a terminal of 80 columns, without colour."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=stream, width=80, height=height, no_color=True, force_terminal=False)
    console.print(draw_board(board, console, height - 4))
    stream.seek(0)
    return stream.read().splitlines()


def begin_large(plans: Plans) -> Story:
    """Tell a run of 64 steps: 20 done, 3 under way."""
    story = plans.begin(plans.make_large())
    names = [node.name for node in story.plan.nodes]
    for name in names[:20]:
        story.tell(EventName.STEP_STARTED, name, attempt=1)
        story.tell(EventName.STEP_VERIFIED, name, seen="all there")
    for name in names[20:23]:
        story.tell(EventName.STEP_STARTED, name, attempt=1)
        story.tell(EventName.STEP_PROBED, name, answer="needed", seen=f"waits for [x] of {name}")
    return story


def tell_small(plans: Plans) -> Story:
    """Tell a run of a step that acts, one that holds, and a gate that never opens."""
    nodes = [
        plans.make_step("install", "Install Talos"),
        plans.make_step("bootstrap-etcd", "Bootstrap etcd"),
        plans.make_gate("nodes-ready", "Wait for the nodes"),
    ]
    return plans.begin(plans.make_plan(nodes))


@pytest.mark.parametrize("height", [8, 12, 24, 40, 100])
def test_table_fits_the_terminal(plans: Plans, height: int) -> None:
    """However tall the terminal is, the table is shorter, and no line is wider than 80."""
    lines = draw(begin_large(plans).board, height=height)

    assert len(lines) <= height - 1
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("width", [10, 20, 40, 200])
def test_any_width_can_be_drawn(plans: Plans, width: int) -> None:
    """A very narrow window shortens the texts and breaks nothing."""
    console = Console(file=io.StringIO(), width=width, height=24, force_terminal=False)
    with console.capture() as capture:
        console.print(draw_board(begin_large(plans).board, console, 20))

    assert max(map(len, capture.get().splitlines())) <= width


@pytest.mark.parametrize("height", [12, 24, 100])
def test_what_is_under_way_is_always_shown(plans: Plans, height: int) -> None:
    """Folding away details never hides a step under way."""
    text = "\n".join(draw(begin_large(plans).board, height=height))

    assert ["Do number 4", "Do number 5", "Do number 6"] == [
        title for title in ("Do number 4", "Do number 5", "Do number 6") if title in text
    ]


def test_finished_groups_fold_first(plans: Plans) -> None:
    """On 24 lines, finished and untouched groups are one line each, the others whole."""
    titles = [line.title for line in choose_lines(begin_large(plans).board, 20)]

    assert ["Part 0", "Part 1", "Part 2", "Do number 0 of part 2"] == titles[:4]
    assert ["Part 3", "Part 4", "Part 5", "Part 6", "Part 7"] == titles[-5:]


def test_failure_is_shown_before_what_still_runs(plans: Plans) -> None:
    """On a terminal with room for little, a failure comes first."""
    story = begin_large(plans)
    story.tell(EventName.STEP_FAILED, "part-2/step-6", reason="disk is gone")

    assert "disk is gone" == choose_lines(story.board, 4)[1].seen


def test_states_read_without_colour(plans: Plans) -> None:
    """Each state is a word; a terminal without Unicode gets other marks."""
    story = tell_small(plans)
    story.tell(EventName.STEP_SKIPPED, "install", seen="v1.13.9")
    story.tell(EventName.STEP_STARTED, "bootstrap-etcd", attempt=1)

    assert ["✓ done", "▸ running", "· pending"] == [
        line[:9].strip() for line in draw(story.board)[2:]
    ]
    assert ["+ done", "> running", ". pending"] == [
        line[:9].strip() for line in draw(story.board, encoding="ascii")[2:]
    ]


def test_header_shows_progress_and_time(plans: Plans) -> None:
    """The first line tells cluster, how much is done of how much, and the time."""
    header = draw(begin_large(plans).board)[0]

    assert header.startswith("bootstrap home")
    assert header.endswith("20/64  0:46")


def test_plain_lines_tell_each_change_once(plans: Plans) -> None:
    """Without a terminal: one line for each change of state, and nothing else."""
    story = tell_small(plans)
    stream = io.StringIO()
    with PlainLines(story.board, stream) as lines:
        lines(story.tell(EventName.STEP_PROBED, "install", answer="satisfied", seen="v1.13.9"))
        lines(story.tell(EventName.STEP_SKIPPED, "install", seen="v1.13.9"))
        lines(
            story.tell(EventName.STEP_PROBED, "bootstrap-etcd", answer="needed", seen="no member")
        )
        lines(story.tell(EventName.STEP_STARTED, "bootstrap-etcd", attempt=1))
        lines(story.tell(EventName.STEP_APPLIED, "bootstrap-etcd"))
        lines(story.tell(EventName.STEP_VERIFIED, "bootstrap-etcd", seen="1 member"))
        lines(story.tell(EventName.GATE_ENTERED, "nodes-ready"))
        lines(story.tell(EventName.STEP_PROBED, "nodes-ready", seen="\x1b[31m0 of 2\x1b[0m\nReady"))
        lines(story.tell(EventName.STEP_PROBED, "nodes-ready", after_s=60, seen="1 of 2 Ready"))
        lines(story.tell(EventName.GATE_TIMED_OUT, "nodes-ready", after_s=120, reason="gave up"))
        lines.tell("the same command goes on")

    expected = """\
[   0:00] bootstrap home: 3 steps and gates
[   0:02] done     Install Talos: v1.13.9
[   0:04] running  Bootstrap etcd: no member
[   0:05] waiting  Bootstrap etcd: no member
[   0:06] done     Bootstrap etcd: 1 member
[   0:07] waiting  Wait for the nodes
[   1:08] waiting  Wait for the nodes: 1 of 2 Ready
[   3:08] failed   Wait for the nodes: gave up
[   3:08] the same command goes on
"""
    assert expected == stream.getvalue()


def test_terminal_sequences_of_tools_are_dropped(plans: Plans) -> None:
    """What a tool says cannot move the cursor or recolour the table."""
    story = tell_small(plans)
    story.tell(EventName.STEP_PROBED, "install", seen="a\x1b[2Jb\x1b]0;title\x07c\rd")

    assert "abc d" == story.board.rows[0].seen


def test_live_table_redraws_and_leaves_nothing(plans: Plans) -> None:
    """On a terminal the table is drawn in place and removed at the end for the result table."""
    story = tell_small(plans)
    stream = io.StringIO()
    console = Console(file=stream, width=80, height=24, force_terminal=True, no_color=True)
    with LiveTable(story.board, console) as live:
        live(story.tell(EventName.STEP_STARTED, "install", attempt=1))
        live.tell("stopping")

    assert "running" in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[2K")


def test_retry_shows_when_and_why(plans: Plans) -> None:
    """A scheduled retry tells how long it waits, and what went wrong."""
    story = tell_small(plans)
    story.tell(EventName.RETRY_SCHEDULED, "install", attempt=1, wait_for_s=4.2, reason="refused")

    assert "again in 4 s: refused" == story.board.rows[0].seen

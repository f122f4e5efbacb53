"""The tables before and after a run, as functions from values to something rich can draw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import TypeVar

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lifecycle.engine.answers import Answer, Blocked, Unknown
from lifecycle.engine.plan import Plan, PlannedNode
from lifecycle.engine.ports import RunRecord, StepRecord, StepState
from lifecycle.engine.runner import RunResult
from lifecycle.engine.watch import describe_answer
from lifecycle.report.board import Board, Row
from lifecycle.report.cleaning import clean_lines, clean_text
from lifecycle.report.words import (
    RUN_LOOKS,
    STEP_LOOKS,
    Look,
    format_elapsed,
    look_of_answer,
)

__all__ = [
    "draw_plan",
    "draw_result",
    "draw_status",
    "draw_warnings",
    "summarise_plan",
]


_FEW = 5  # rows of one kind that are worth reading one by one
_Shown = TypeVar("_Shown", bound=Row | StepRecord)


def draw_plan(plan: Plan, planned: Sequence[PlannedNode]) -> RenderableType:
    """Draw what a run would do: each step and gate with its probe's answer."""
    table = _make_table("Now", "Step or gate", "What the probe says")
    group, said = "", ""
    for node in planned:
        here = plan.groups.get(node.node.name, "")
        if here != group:
            group, said = here, ""
            table.add_row("", Text(group, style="bold"), "")
        text = _describe(node.answer)
        # Most of a fresh cluster cannot be seen for one and the same reason: told once a group.
        is_repeated = isinstance(node.answer, Unknown) and text == said
        _add(table, look_of_answer(node.answer), node.node.title, "" if is_repeated else text)
        said = text
    title = Text(f"{plan.kind} {plan.cluster}", style="bold")
    return Group(title, table, Text(summarise_plan(planned)))


def summarise_plan(planned: Sequence[PlannedNode]) -> str:
    """Say in one line how much there is to do."""
    words = [look_of_answer(node.answer).word for node in planned]
    counts = [(words.count(word), word) for word in ("to do", "unknown", "blocked", "holds")]
    names = {"unknown": "cannot be seen yet", "holds": "already hold"}
    return ", ".join(f"{count} {names.get(word, word)}" for count, word in counts if count)


def draw_warnings(warnings: Sequence[str]) -> RenderableType:
    """Draw what cannot be undone, before the question."""
    return Group(*(Text(f"warning: {warning}", style="yellow") for warning in warnings))


def draw_result(board: Board, result: RunResult) -> RenderableType:
    """Draw how each step and gate ended; errors and their hints are told apart, on stderr."""
    table = _make_table("Result", "Step or gate", "Took", "What was last seen")
    now = board.now()
    for rows in _fold(board.rows):
        look = _look_of_row(rows[0])
        if len(rows) > 1:
            _add(table, look, _describe_fold(rows), "", "")
            continue
        (row,) = rows
        took = "" if look.word == "unchanged" else format_elapsed(row.measure_s(now))
        _add(table, look, row.title, took, row.seen)
    return Group(table, Text(_sum_up(board, result)))


def draw_status(
    run: RunRecord,
    *,
    is_killed: bool,
    now: datetime,
    log: str,
    holder: str = "",
    causes: Sequence[str] = (),
) -> RenderableType:
    """Draw the last run step by step, as the journal knows it; `causes` are lines below it."""
    look = _look_of_run(run, is_killed=is_killed)
    resumed = f", resumed {run.resumed} times" if run.resumed > 1 else ""
    resumed = ", resumed once" if run.resumed == 1 else resumed
    seconds = ((run.ended_at or now) - run.started_at).total_seconds()
    took = "" if is_killed else f", {format_elapsed(seconds)}"  # nobody knows when it was killed
    head = Text.assemble(
        (f"{run.kind} {run.cluster}: ", "bold"), (look.word, look.style), f"{resumed}{took}"
    )
    table = _make_table("State", "Step or gate", "Tries", "What was last seen")
    for steps in _fold(run.steps):
        look = _look_of_step(steps[0], is_killed=is_killed)
        if len(steps) > 1:
            _add(table, look, _describe_fold(steps), "", "")
            continue
        (step,) = steps
        tries = str(step.attempts) if step.attempts else ""
        _add(table, look, step.title, tries, step.last_seen)
    lines = [f"{len([s for s in run.steps if _is_done(s)])} of {len(run.steps)} done"]
    lines += [f"held by {holder}"] if holder else []
    lines += [run.message] if run.message else []
    lines += causes
    lines += ["nobody is running it: the same command again goes on"] if is_killed else []
    lines += [f"run {run.id}", f"log {log}"]
    return Group(head, table, *(_draw_line(line) for line in lines))


def _draw_line(line: str) -> Text:
    """Draw a line below a table; what belongs to the line above it is indented."""
    indent = len(line) - len(line.lstrip(" "))
    return Text(" " * indent + clean_text(line))


def _make_table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    table.add_column(columns[0], no_wrap=True)
    for title in columns[1:-1]:
        is_short = title in {"Took", "Tries"}
        table.add_column(title, no_wrap=is_short, justify="right" if is_short else "left")
    table.add_column(columns[-1], overflow="fold")
    return table


def _add(table: Table, look: Look, *cells: str) -> None:
    # Text, never str: a title or a tool's answer with [brackets] is no markup of ours.
    table.add_row(Text(look.word, style=look.style), *(Text(clean_lines(cell)) for cell in cells))


def _describe(answer: Answer) -> str:
    _, seen = describe_answer(answer)
    hint = answer.hint if isinstance(answer, Blocked) else ""
    return f"{seen}\nhint: {hint}" if hint else seen


def _fold(rows: Sequence[_Shown]) -> Iterator[Sequence[_Shown]]:
    """Yield rows one by one, but many that were not begun, one after the other, together."""
    for is_pending, group in groupby(rows, _is_pending):
        members = [*group]
        if is_pending and len(members) > _FEW:
            yield members
        else:
            yield from ([row] for row in members)


def _is_pending(row: Row | StepRecord) -> bool:
    return row.state is StepState.PENDING


def _describe_fold(rows: Sequence[Row] | Sequence[StepRecord]) -> str:
    return f"{rows[0].title}, and {len(rows) - 1} more, to: {rows[-1].title}"


def _look_of_row(row: Row) -> Look:
    look = STEP_LOOKS[row.state]
    if row.state is StepState.DONE and row.is_step and not row.is_changed:
        return Look("unchanged", look.mark, look.plain_mark, "dim green")
    if row.state is StepState.PENDING:
        return Look("not begun", look.mark, look.plain_mark, look.style)
    return look


def _sum_up(board: Board, result: RunResult) -> str:
    changed = sum(row.is_changed for row in board.rows)
    word = RUN_LOOKS[result.state].word
    return (
        f"{board.kind} {board.cluster} {word}: {board.done} of {len(board.rows)} done, "
        f"{changed} changed, {format_elapsed(board.elapsed_s)}"
    )


def _look_of_run(run: RunRecord, *, is_killed: bool) -> Look:
    return Look("killed", "✗", "x", "bold red") if is_killed else RUN_LOOKS[run.state]


def _look_of_step(step: StepRecord, *, is_killed: bool) -> Look:
    is_open = step.state in {StepState.RUNNING, StepState.WAITING}
    if is_killed and is_open:
        return Look("cut off", "!", "!", "yellow")
    return STEP_LOOKS[step.state]


def _is_done(step: StepRecord) -> bool:
    return step.state in {StepState.DONE, StepState.ACCEPTED}

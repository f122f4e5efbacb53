"""Which lines of a run are shown when the terminal is not tall enough for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lifecycle.engine.ports import StepState
from lifecycle.report.board import Board, Row, RowGroup

__all__ = ["Line", "choose_lines"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the live table: a row, the sum of a group, or how many are not shown."""

    state: StepState
    title: str
    elapsed_s: float | None = None
    seen: str = ""
    is_heading: bool = False


def choose_lines(board: Board, height: int) -> Sequence[Line]:
    """Return at most `height` lines, as many details as fit.

    Everything; else finished and untouched groups as one line each; else only what is under way
    of the others, too; else only what is under way at all.
    """
    groups = board.group()
    for arrange in (_show_all, _fold_quiet_groups, _fold_all_groups):
        lines = arrange(board, groups)
        if len(lines) <= height:
            return lines
    return _show_active(board, height)


def _show_all(board: Board, groups: Sequence[RowGroup]) -> list[Line]:
    lines: list[Line] = []
    for group in groups:
        if group.title:
            lines.append(_sum_up(board, group))
        lines += [_show(board, row) for row in group.rows]
    return lines


def _fold_quiet_groups(board: Board, groups: Sequence[RowGroup]) -> list[Line]:
    lines: list[Line] = []
    for group in groups:
        lines.append(_sum_up(board, group))
        if not (group.is_finished or group.is_untouched):
            lines += [_show(board, row) for row in group.rows]
    return lines


def _fold_all_groups(board: Board, groups: Sequence[RowGroup]) -> list[Line]:
    lines: list[Line] = []
    for group in groups:
        lines.append(_sum_up(board, group))
        lines += [_show(board, row) for row in group.rows if row.is_active]
    return lines


def _show_active(board: Board, height: int) -> list[Line]:
    done = Line(StepState.DONE, f"{board.done} of {len(board.rows)}", is_heading=True)
    # What failed first: it must be seen even when more is under way than there are lines.
    active = sorted(
        (row for row in board.rows if row.is_active),
        key=lambda row: row.state is not StepState.FAILED,
    )
    waiting = sum(row.state is StepState.PENDING for row in board.rows)
    room = max(height - 2, 1)
    lines = [done, *(_show(board, row) for row in active[:room])]
    hidden = len(active) - room
    rest = f"{waiting} to come" + (f", {hidden} more under way" if hidden > 0 else "")
    return [*lines, Line(StepState.PENDING, rest, is_heading=True)][: max(height, 1)]


def _show(board: Board, row: Row) -> Line:
    return Line(row.state, row.title, row.measure_s(board.now()), row.seen)


def _sum_up(board: Board, group: RowGroup) -> Line:
    begun = [row.begun_at for row in group.rows if row.begun_at]
    ended = [row.ended_at for row in group.rows if row.ended_at]
    until = max(ended) if group.is_finished and ended else board.now()
    elapsed_s = (until - min(begun)).total_seconds() if begun else None
    title = group.title or "Other steps"
    count = f"{group.done} of {len(group.rows)}"
    return Line(_state_of(group), title, elapsed_s, count, is_heading=True)


def _state_of(group: RowGroup) -> StepState:
    if any(row.state is StepState.FAILED for row in group.rows):
        return StepState.FAILED
    if group.is_finished:
        return StepState.DONE
    return StepState.PENDING if group.is_untouched else StepState.RUNNING

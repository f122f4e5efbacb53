"""The same tables for machines: values that `json.dumps` takes as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from lifecycle.engine.answers import Blocked
from lifecycle.engine.plan import Plan, PlannedNode
from lifecycle.engine.ports import RunRecord, StepRecord
from lifecycle.engine.runner import RunResult
from lifecycle.engine.watch import describe_answer
from lifecycle.errors import LifecycleError
from lifecycle.report.board import Board, Row

__all__ = ["Json", "value_of_error", "value_of_plan", "value_of_result", "value_of_status"]

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]

_NO_CAUSES: Mapping[str, Sequence[Json]] = {}


def value_of_plan(plan: Plan, planned: Sequence[PlannedNode]) -> Json:
    """Return the plan: `to_do` counts what does not hold, `nodes` are in order."""
    return {
        "kind": plan.kind,
        "cluster": plan.cluster,
        "to_do": sum(node.is_to_do for node in planned),
        "nodes": [_value_of_planned(plan, node) for node in planned],
    }


def value_of_result(
    board: Board,
    result: RunResult,
    *,
    log: str,
    resumed: int,
    causes: Mapping[str, Sequence[Json]] = _NO_CAUSES,
) -> Json:
    """Return the result; times are wall seconds, absent ones null; `causes` are by step."""
    now = board.now()
    return {
        "run": board.run,
        "kind": board.kind,
        "cluster": board.cluster,
        "state": result.state.value,
        "resumed": resumed,
        "elapsed_s": round(board.elapsed_s, 3),
        "done": board.done,
        "changed": sum(row.is_changed for row in board.rows),
        "steps": [_value_of_row(row, now) for row in board.rows],
        "failures": [
            {
                "step": failure.step,
                "message": failure.error.message,
                "hint": failure.error.hint,
                "diagnoses": causes.get(failure.step, ()),
            }
            for failure in result.failures
        ],
        "log": log,
    }


def value_of_status(
    run: RunRecord,
    *,
    is_killed: bool,
    log: str,
    holder: Mapping[str, Json] | None = None,
    causes: Sequence[Json] = (),
) -> Json:
    """Return the last run; `state` is `killed` when the journal says running and nobody runs."""
    return {
        "run": run.id,
        "kind": run.kind,
        "cluster": run.cluster,
        "state": "killed" if is_killed else run.state.value,
        "resumed": run.resumed,
        "started_at": _format_time(run.started_at),
        "ended_at": _format_time(run.ended_at),
        "message": run.message,
        "steps": [_value_of_step(step) for step in run.steps],
        "diagnoses": causes,
        "holder": holder,
        "log": log,
    }


def value_of_error(error: LifecycleError) -> Json:
    """Return what goes to stdout in JSON mode when there is no result."""
    return {
        "error": {
            "kind": type(error).__name__,
            "message": error.message,
            "hint": error.hint,
            "exit_code": error.exit_code,
        }
    }


def _value_of_planned(plan: Plan, planned: PlannedNode) -> Json:
    word, seen = describe_answer(planned.answer)
    return {
        "name": planned.node.name,
        "title": planned.node.title,
        "type": "step" if planned.is_step else "gate",
        "group": plan.groups.get(planned.node.name, ""),
        "after": list(planned.node.after),
        "answer": word,
        "seen": seen,
        "hint": planned.answer.hint if isinstance(planned.answer, Blocked) else "",
    }


def _value_of_row(row: Row, now: datetime) -> Json:
    elapsed_s = row.measure_s(now)
    return {
        "name": row.name,
        "title": row.title,
        "type": "step" if row.is_step else "gate",
        "state": row.state.value,
        "changed": row.is_changed,
        "seen": row.seen,
        "elapsed_s": None if elapsed_s is None else round(elapsed_s, 3),
    }


def _value_of_step(step: StepRecord) -> Json:
    return {
        "name": step.name,
        "title": step.title,
        "state": step.state.value,
        "attempts": step.attempts,
        "seen": step.last_seen,
        "started_at": _format_time(step.started_at),
        "ended_at": _format_time(step.ended_at),
    }


def _format_time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds") if moment else None

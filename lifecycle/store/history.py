"""What earlier runs left in the journal, as values; reading never disturbs a run under way."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from lifecycle.engine.ports import RunRecord, RunState, StepRecord, StepState
from lifecycle.store._schema import explain_errors, open_for_reading

__all__ = ["read_diagnoses", "read_last_run", "read_runs"]

_RUN_COLUMNS = "id, kind, cluster, state, started_at, ended_at, resumed, message"


def read_runs(path: Path, *, cluster: str = "", limit: int = 50) -> Sequence[RunRecord]:
    """Return the runs in the journal, the newest first, without their steps.

    Raises:
        CheckpointError: the file is damaged or newer than this program.
    """
    if not path.exists():
        return ()
    connection = open_for_reading(path)
    try:
        with explain_errors(path):
            return [_parse_run(row) for row in _select_runs(connection, cluster, limit)]
    finally:
        connection.close()


def read_last_run(path: Path, *, cluster: str = "") -> RunRecord | None:
    """Return the newest run with its steps in order; None when there was never one.

    Raises:
        CheckpointError: the file is damaged or newer than this program.
    """
    if not path.exists():
        return None
    connection = open_for_reading(path)
    try:
        with explain_errors(path):
            # One read transaction: the run and its steps are of the same moment.
            connection.execute("BEGIN")
            rows = _select_runs(connection, cluster, 1)
            return _parse_run(rows[0], _select_steps(connection, str(rows[0][0]))) if rows else None
    finally:
        connection.close()


def read_diagnoses(path: Path, run: str) -> Sequence[tuple[str, str]]:
    """Return what was found out about the failures of a run: step, and the cause as written.

    Only since the run was last taken up: what an earlier attempt died of may be repaired.

    Raises:
        CheckpointError: the file is damaged or newer than this program.
    """
    if not path.exists():
        return ()
    connection = open_for_reading(path)
    try:
        with explain_errors(path):
            rows = connection.execute(
                "SELECT step, detail FROM events WHERE run = :run AND name = 'step.diagnosed'"
                " AND number > (SELECT coalesce(max(number), 0) FROM events WHERE run = :run"
                " AND name IN ('run.started', 'run.resumed')) ORDER BY number",
                {"run": run},
            )
            return [(str(step), str(detail)) for step, detail in rows]
    finally:
        connection.close()


def _select_runs(
    connection: sqlite3.Connection, cluster: str, limit: int
) -> list[tuple[object, ...]]:
    if int(connection.execute("PRAGMA user_version").fetchone()[0]) == 0:
        return []  # the file was created and its tables were not: killed in between
    return connection.execute(
        f"SELECT {_RUN_COLUMNS} FROM runs WHERE ? IN ('', cluster)"  # noqa: S608 -- constants only
        " ORDER BY number DESC LIMIT ?",
        (cluster, limit),
    ).fetchall()


def _select_steps(connection: sqlite3.Connection, run: str) -> Sequence[StepRecord]:
    rows = connection.execute(
        "SELECT name, title, state, attempts, last_seen, started_at, ended_at FROM steps"
        " WHERE run = ? ORDER BY position",
        (run,),
    )
    return tuple(
        StepRecord(
            name=name,
            title=title,
            state=StepState(state),
            attempts=attempts,
            last_seen=last_seen,
            started_at=_parse_time(started_at),
            ended_at=_parse_time(ended_at),
        )
        for name, title, state, attempts, last_seen, started_at, ended_at in rows
    )


def _parse_run(row: tuple[object, ...], steps: Sequence[StepRecord] = ()) -> RunRecord:
    run, kind, cluster, state, started_at, ended_at, resumed, message = row
    return RunRecord(
        id=str(run),
        kind=str(kind),
        cluster=str(cluster),
        state=RunState(state),
        started_at=datetime.fromisoformat(str(started_at)),
        ended_at=_parse_time(ended_at),
        resumed=int(str(resumed)),
        message=str(message),
        steps=steps,
    )


def _parse_time(value: object) -> datetime | None:
    return datetime.fromisoformat(str(value)) if value else None

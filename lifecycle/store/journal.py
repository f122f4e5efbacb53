"""The durable record of one run, in SQLite: memory of what was tried and seen."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from lifecycle.engine.ports import RunState, StepState
from lifecycle.store._schema import explain_errors, open_database

__all__ = ["RunChoice", "SqliteJournal"]

_ENDED = (StepState.DONE, StepState.FAILED, StepState.ACCEPTED)
_BEGUN = (StepState.WAITING, StepState.RUNNING)


@dataclass(frozen=True, slots=True)
class RunChoice:
    """The run that goes on, or the new one; `resumed` counts how often it was taken up again."""

    id: str
    resumed: int


class SqliteJournal:
    """Implements `engine.ports.Journal`; every call outlives the process when it returns.

    It outlives a power cut as well, but for what a probe merely saw: the next run looks anyway.
    Belongs to one thread: the run's event loop.
    """

    def __init__(
        self,
        path: Path,
        *,
        kind: str,
        cluster: str,
        now: Callable[[], datetime],
        redact: Callable[[str], str] = str,
    ) -> None:
        """Open the journal and choose the run; nothing is written before `begin`.

        Raises:
            CheckpointError: the file is damaged or newer than this program.
        """
        self._path = path
        self._kind = kind
        self._cluster = cluster
        self._now = now
        self._redact = redact
        self._connection = open_database(path)
        self._known: dict[str, tuple[StepState, str]] = {}
        self.run = self._choose_run()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was recorded stays."""
        self._connection.close()

    def begin(self) -> None:
        """Note that the run starts or goes on."""
        with self._commit() as db:
            if self.run.resumed:
                db.execute(
                    "UPDATE runs SET state = ?, ended_at = NULL, resumed = ?, message = ''"
                    " WHERE id = ?",
                    (RunState.RUNNING.value, self.run.resumed, self.run.id),
                )
            else:
                db.execute(
                    "INSERT INTO runs (id, kind, cluster, state, started_at)"
                    " VALUES (?, ?, ?, ?, ?)",
                    (self.run.id, self._kind, self._cluster, RunState.RUNNING.value, self._stamp()),
                )
            self._note(db, "run.resumed" if self.run.resumed else "run.started")

    def record_plan(self, steps: Sequence[tuple[str, str]]) -> None:
        """Note the steps and gates, in order; what is known of them is kept."""
        with self._commit() as db:
            db.executemany(
                "INSERT INTO steps (run, position, name, title, state) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (run, name) DO UPDATE"
                " SET position = excluded.position, title = excluded.title",
                [
                    (self.run.id, position, name, self._redact(title), StepState.PENDING.value)
                    for position, (name, title) in enumerate(steps)
                ],
            )
            # A newer version of the program may have dropped steps: they would stay pending for
            # ever. Their attempts and events remain.
            gone = {name for (name,) in self._select_names()} - {name for name, _ in steps}
            db.executemany(
                "DELETE FROM steps WHERE run = ? AND name = ?", [(self.run.id, n) for n in gone]
            )
            self._note(db, "plan.made", detail=f"{len(steps)} steps and gates")

    def record_probe(self, step: str, state: StepState, seen: str) -> None:
        """Note what a probe saw; the same sight twice is written once.

        There are many, and a disk may take a hundredth of a second to say that it has one: only
        those that prove an act are waited for.
        """
        seen = self._redact(seen)
        if self._known.get(step) == (state, seen):
            return
        is_proof = state is StepState.DONE and self.has_open_intent(step)
        with self._commit(is_durable=is_proof) as db:
            self._update_step(db, step, state, seen)
            if state is StepState.DONE:
                self._close_attempts(db, step)
            self._note(db, "step.probed", step, f"{state.value}: {seen}")

    def record_intent(self, step: str, attempt: int) -> None:
        """Note that the act begins: committed before anything changes."""
        with self._commit() as db:
            self._update_step(db, step, StepState.RUNNING, None)
            db.execute(
                "UPDATE steps SET attempts = attempts + 1 WHERE run = ? AND name = ?",
                (self.run.id, step),
            )
            db.execute(
                "INSERT INTO attempts (run, step, attempt, intended_at) VALUES (?, ?, ?, ?)",
                (self.run.id, step, attempt, self._stamp()),
            )
            self._note(db, "step.started", step, f"attempt {attempt}")

    def record_applied(self, step: str) -> None:
        """Note that the act returned; its effect is not yet seen."""
        with self._commit() as db:
            self._update_step(db, step, StepState.WAITING, None)
            db.execute(
                "UPDATE attempts SET applied_at = ? WHERE number ="
                " (SELECT max(number) FROM attempts WHERE run = ? AND step = ?)",
                (self._stamp(), self.run.id, step),
            )
            self._note(db, "step.applied", step)

    def record_proof(self, step: str, evidence: str) -> None:
        """Note that the effect was seen."""
        evidence = self._redact(evidence)
        if self._known.get(step) == (StepState.DONE, evidence):
            return  # the probe that saw it has written it, and closed the intent
        with self._commit() as db:
            self._update_step(db, step, StepState.DONE, evidence)
            self._close_attempts(db, step)
            self._note(db, "step.verified", step, evidence)

    def record_failure(self, step: str, reason: str) -> None:
        """Note why a step or gate failed; its intent stays open: the act may have happened."""
        reason = self._redact(reason)
        with self._commit() as db:
            self._update_step(db, step, StepState.FAILED, reason)
            db.execute(
                "UPDATE attempts SET failed_at = ?, reason = ? WHERE number ="
                " (SELECT max(number) FROM attempts WHERE run = ? AND step = ?)",
                (self._stamp(), reason, self.run.id, step),
            )
            self._note(db, "step.failed", step, reason)

    def record_diagnosis(self, step: str, cause: str) -> None:
        """Note a cause of a failure, as its finder writes it."""
        with self._commit() as db:
            self._note(db, "step.diagnosed", step, self._redact(cause))

    def has_open_intent(self, step: str) -> bool:
        """Tell whether any run of this cluster left an intent of this step without its proof."""
        with explain_errors(self._path):
            row = self._connection.execute(
                "SELECT 1 FROM attempts WHERE step = ? AND proved_at IS NULL LIMIT 1", (step,)
            ).fetchone()
        return row is not None

    def was_attempted(self, step: str) -> bool:
        """Tell whether any run of this cluster ever began the act of this step."""
        with explain_errors(self._path):
            row = self._connection.execute(
                "SELECT 1 FROM attempts WHERE step = ? LIMIT 1", (step,)
            ).fetchone()
        return row is not None

    def finish(self, state: RunState, message: str) -> None:
        """Note how the run ended."""
        with self._commit() as db:
            db.execute(
                "UPDATE runs SET state = ?, ended_at = ?, message = ? WHERE id = ?",
                (state.value, self._stamp(), self._redact(message), self.run.id),
            )
            self._note(db, f"run.{state.value}", detail=self._redact(message))

    def _choose_run(self) -> RunChoice:
        with explain_errors(self._path):
            row = self._connection.execute(
                "SELECT id, state, resumed FROM runs WHERE kind = ? AND cluster = ?"
                " ORDER BY number DESC LIMIT 1",
                (self._kind, self._cluster),
            ).fetchone()
        if row is not None and row[1] != RunState.FINISHED.value:
            return RunChoice(str(row[0]), int(row[2]) + 1)
        stamp = self._now().astimezone(UTC).strftime("%Y%m%d-%H%M%S")
        # Two runs of one kind may begin in the same second, one after the other.
        return RunChoice(f"{self._kind}-{stamp}-{secrets.token_hex(2)}", 0)

    @contextmanager
    def _commit(self, *, is_durable: bool = True) -> Iterator[sqlite3.Connection]:
        with explain_errors(self._path):
            # A commit that is waited for brings those before it to the disk as well.
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if is_durable else 'NORMAL'}")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _update_step(
        self, db: sqlite3.Connection, step: str, state: StepState, seen: str | None
    ) -> None:
        now = self._stamp()
        db.execute(
            "UPDATE steps SET state = :state, last_seen = coalesce(:seen, last_seen),"
            " started_at = CASE WHEN :begun THEN coalesce(started_at, :now) ELSE started_at END,"
            " ended_at = CASE WHEN NOT :ended THEN NULL"
            " WHEN state = :state THEN coalesce(ended_at, :now) ELSE :now END"
            " WHERE run = :run AND name = :step",
            {
                "state": state.value,
                "seen": seen,
                "begun": state in _BEGUN,
                "ended": state in _ENDED,
                "now": now,
                "run": self.run.id,
                "step": step,
            },
        )
        self._known[step] = (state, seen if seen is not None else "")

    def _close_attempts(self, db: sqlite3.Connection, step: str) -> None:
        # The effect stands in the world, whichever attempt of whichever run brought it about.
        db.execute(
            "UPDATE attempts SET proved_at = ? WHERE step = ? AND proved_at IS NULL",
            (self._stamp(), step),
        )

    def _note(self, db: sqlite3.Connection, name: str, step: str = "", detail: str = "") -> None:
        db.execute(
            "INSERT INTO events (run, at, name, step, detail) VALUES (?, ?, ?, ?, ?)",
            (self.run.id, self._stamp(), name, step, detail),
        )

    def _select_names(self) -> list[tuple[str]]:
        rows = self._connection.execute("SELECT name FROM steps WHERE run = ?", (self.run.id,))
        return [(str(name),) for (name,) in rows]

    def _stamp(self) -> str:
        return self._now().astimezone(UTC).isoformat(timespec="milliseconds")

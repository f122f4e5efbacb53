"""The journal's tables, and what is said when the file is damaged or newer than the program."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lifecycle.errors import CheckpointError

__all__ = ["explain_errors", "open_database", "open_for_reading"]

SCHEMA_VERSION = 1
_BUSY_S = 5.0  # `invoke status` reads while a run writes; nobody holds the file longer

_TABLES = """
CREATE TABLE runs (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  cluster TEXT NOT NULL,
  state TEXT NOT NULL,
  started_at TEXT NOT NULL,
  ended_at TEXT,
  resumed INTEGER NOT NULL DEFAULT 0,
  message TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE steps (
  run TEXT NOT NULL REFERENCES runs (id),
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  title TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  last_seen TEXT NOT NULL DEFAULT '',
  started_at TEXT,
  ended_at TEXT,
  PRIMARY KEY (run, name)
) STRICT;
CREATE TABLE attempts (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  run TEXT NOT NULL REFERENCES runs (id),
  step TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  intended_at TEXT NOT NULL,
  applied_at TEXT,
  proved_at TEXT,
  failed_at TEXT,
  reason TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX attempts_of_step ON attempts (step, proved_at);
CREATE TABLE events (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  run TEXT NOT NULL REFERENCES runs (id),
  at TEXT NOT NULL,
  name TEXT NOT NULL,
  step TEXT NOT NULL DEFAULT '',
  detail TEXT NOT NULL DEFAULT ''
) STRICT;
"""


def open_database(path: Path) -> sqlite3.Connection:
    """Open the journal for writing, creating it with mode 0600 when there is none.

    Write-ahead log, so that readers never wait, and synchronous FULL, so that a commit is on
    the disk when the call returns (https://sqlite.org/pragma.html#pragma_synchronous). Less
    loses the last commits in a power cut, and never what is before them.

    Raises:
        CheckpointError: the file is damaged, or its schema is newer than this program.
    """
    path.touch(mode=0o600)
    with explain_errors(path):
        connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            _check_integrity(connection, path)
            _create_tables(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open an existing journal without ever writing to it.

    Raises:
        CheckpointError: the file is damaged, or its schema is newer than this program.
    """
    with explain_errors(path):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", timeout=_BUSY_S, uri=True
        )
        try:
            _read_version(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def explain_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into one that says what to do."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise CheckpointError(
            f"journal cannot be used: `{path}`: {error}",
            hint="check free space and permissions of that folder, then run the same command again",
        ) from error
    except sqlite3.DatabaseError as error:
        raise _describe_damage(path, str(error)) from error


def _check_integrity(connection: sqlite3.Connection, path: Path) -> None:
    found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(1)")]
    if found != ["ok"]:
        raise _describe_damage(path, "; ".join(found))


def _create_tables(connection: sqlite3.Connection, path: Path) -> None:
    if _read_version(connection, path) == SCHEMA_VERSION:
        return
    # One transaction: a kill in between leaves an empty file, not half a schema.
    connection.executescript(
        f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
    )


def _read_version(connection: sqlite3.Connection, path: Path) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA_VERSION:
        raise CheckpointError(
            f"journal is newer than this program: `{path}`: "
            f"schema {version}, known {SCHEMA_VERSION}",
            hint=(
                "install the newer version again, or move the file away "
                f"(`mv {path} {path}.newer`): nothing is lost, since every step probes the cluster"
            ),
        )
    return version


def _describe_damage(path: Path, what: str) -> CheckpointError:
    return CheckpointError(
        f"journal is damaged: `{path}`: {what}",
        hint=(
            f'move it away (`for f in {path}*; do mv "$f" "$f.damaged"; done`) and run the same '
            "command again: nothing is lost, since every step probes the cluster"
        ),
    )

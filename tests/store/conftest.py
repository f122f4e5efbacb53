"""Fixtures of the state directory's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lifecycle.store import SqliteJournal

OpenJournal = Callable[..., SqliteJournal]


class TickingClock:
    """A wall clock that moves on by one second each time it is read."""

    def __init__(self) -> None:
        self._moment = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the next second."""
        self._moment += timedelta(seconds=1)
        return self._moment


@pytest.fixture
def ticking() -> TickingClock:
    """Wall time that never stands still."""
    return TickingClock()


@pytest.fixture
def open_journal(tmp_path: Path, ticking: TickingClock) -> Iterator[OpenJournal]:
    """Open the journal of one cluster, as each new process does."""
    with ExitStack() as stack:

        def open_one(kind: str = "bootstrap", cluster: str = "home") -> SqliteJournal:
            journal = SqliteJournal(
                tmp_path / "journal.db", kind=kind, cluster=cluster, now=ticking
            )
            return stack.enter_context(journal)

        yield open_one

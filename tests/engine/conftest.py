"""Fixtures of the engine's tests; the fakes themselves are in `engine_fakes.py`."""

from __future__ import annotations

import pytest

from lifecycle.engine import Event
from tests.engine.engine_fakes import JumpingClock, MemoryJournal


@pytest.fixture
def clock() -> JumpingClock:
    """A clock that jumps."""
    return JumpingClock()


@pytest.fixture
def journal() -> MemoryJournal:
    """A journal in memory."""
    return MemoryJournal()


@pytest.fixture
def events() -> list[Event]:
    """Collects events: its `append` is the listener."""
    return []

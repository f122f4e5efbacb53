"""A part of the world that breaks is heard of; one that is ended on purpose is not."""

from __future__ import annotations

import asyncio

import pytest

from lab.vital import begin_vital, end_with_vital


async def _break() -> None:
    raise KeyError("disk")


async def test_what_breaks_ends_the_world(caplog: pytest.LogCaptureFixture) -> None:
    """Its name and its exception are told at once, the traceback goes into the log."""
    told: list[str] = []
    end_with_vital(told.append)
    task = begin_vital(_break(), "machine one")
    await asyncio.wait([task])
    await asyncio.sleep(0)

    assert ["machine one broke: KeyError: 'disk'"] == told
    assert "machine one broke" in caplog.text
    assert "in _break" in caplog.text


async def test_what_is_cancelled_or_done_is_not_told() -> None:
    """Power that is cut is no defect, nor is work that is done."""
    told: list[str] = []
    end_with_vital(told.append)
    cut = begin_vital(asyncio.sleep(60.0), "machine one")
    done = begin_vital(asyncio.sleep(0.0), "machine two")
    cut.cancel()
    await asyncio.wait([cut, done])
    await asyncio.sleep(0)

    assert [] == told


async def test_other_errors_of_the_loop_end_nothing() -> None:
    """A connection that breaks is everyday life."""
    told: list[str] = []
    end_with_vital(told.append)
    asyncio.get_running_loop().call_exception_handler({"message": "connection lost"})

    assert [] == told

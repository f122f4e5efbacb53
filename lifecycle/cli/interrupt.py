"""Ctrl-C: once to stop at the next safe point, twice to stop at once.

Plain signal handlers, not the event loop's: they run between two bytecodes, so that a second
Ctrl-C is heard also while the loop is busy.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Self

__all__ = ["Interrupts"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_EXIT_CODE = 130
# How long cancelled work may take to end its tools; after that the process ends regardless.
_GRACE_S = 5.0


class Interrupts:
    """Hears SIGINT and SIGTERM while a run goes on.

    The first calls `stop` on the event loop, the second `cancel`; a third, or `_GRACE_S` after
    the second, ends the process: the journal is on disk at any moment.

    Once one was heard, signals stay here, so that impatience does not cut off what a stopped run
    says at its end.
    """

    def __init__(
        self, *, stop: Callable[[], None], cancel: Callable[[], object], restore: Callable[[], None]
    ) -> None:
        self._callbacks = (stop, cancel)
        self._restore = restore
        self._loop = asyncio.get_running_loop()
        self._heard = 0
        self._timer: threading.Timer | None = None
        self._before: dict[signal.Signals, Callable[[int, FrameType | None], object] | int] = {}

    @property
    def count(self) -> int:
        """How many signals were heard."""
        return self._heard

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._hear) or signal.SIG_DFL
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer:
            self._timer.cancel()
        if self._heard:
            return
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self._heard += 1
        if self._heard > len(self._callbacks):
            self._end_now()
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._callbacks[self._heard - 1])
        if self._heard == len(self._callbacks):
            self._timer = threading.Timer(_GRACE_S, self._end_now)
            self._timer.daemon = True
            self._timer.start()

    def _end_now(self) -> None:
        self._restore()
        os._exit(_EXIT_CODE)

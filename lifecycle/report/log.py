"""The log of a run: JSON lines in a file, for operators of the tool and for machines."""

from __future__ import annotations

import os
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Self, TextIO

import structlog

from lifecycle.engine.ports import Event, EventName

__all__ = ["RunLog"]

_LEVELS = {
    EventName.STEP_FAILED: "error",
    EventName.GATE_TIMED_OUT: "error",
    EventName.RUN_FAILED: "error",
    EventName.RUN_INTERRUPTED: "warning",
    EventName.RETRY_SCHEDULED: "warning",
    EventName.LOCK_LOST: "error",
    EventName.COMMAND_STARTED: "debug",
    EventName.COMMAND_FINISHED: "debug",
    EventName.API_REQUESTED: "debug",
}


class RunLog:
    """Writes every event of a run, one line each; a `Listener` and a context manager.

    The logger is built for its own file and never configured globally, so that nothing of it can
    reach the terminal on which the live table is drawn. The file is made at the first line: a
    run that is refused before it begins leaves none.
    """

    def __init__(self, path: Path, *, run: str, cluster: str, redact: Callable[[str], str]) -> None:
        self.path = path
        self._bound = {"run": run, "cluster": cluster}
        self._redact = redact
        self._file: TextIO | None = None
        self._logger: structlog.typing.FilteringBoundLogger | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._logger = None

    def __call__(self, event: Event) -> None:
        """Write one event."""
        level = _LEVELS.get(event.name, "info")
        where = "gate" if event.name.value.startswith("gate.") else "step"
        named = {where: event.step} if event.step else {}
        at = event.at.isoformat(timespec="milliseconds")
        self._open().log(_NUMBERS[level], event.name.value, at=at, **named, **event.fields)

    def record_crash(self, traceback: str) -> None:
        """Keep the traceback of a bug, without local variables: they may hold secrets."""
        self._open().error("program.failed", traceback=traceback)

    def _open(self) -> structlog.typing.FilteringBoundLogger:
        if self._logger is None:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            # Line buffered: a killed run has its last line on disk.
            self._file = os.fdopen(descriptor, "a", buffering=1, encoding="utf-8")
            self._logger = structlog.wrap_logger(
                structlog.WriteLogger(self._file),
                processors=[
                    structlog.processors.add_log_level,
                    self._redact_values,
                    structlog.processors.JSONRenderer(default=str),
                ],
                wrapper_class=structlog.make_filtering_bound_logger(0),
                cache_logger_on_first_use=False,
            ).bind(**self._bound)
        return self._logger

    def _redact_values(
        self, _logger: object, _method: str, event: MutableMapping[str, object]
    ) -> MutableMapping[str, object]:
        for key, value in event.items():
            if isinstance(value, str):
                event[key] = self._redact(value)
        return event


_NUMBERS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

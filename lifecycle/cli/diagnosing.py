"""After a failure: its first causes, told below the error, kept in journal and log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from lifecycle.cli.interrupt import Interrupts
from lifecycle.clock import SystemClock
from lifecycle.drivers.documents import (
    Json,
    JsonObject,
    as_object,
    parse_json,
    text_at,
    texts_at,
)
from lifecycle.engine import Event, EventName, Failure, Listener
from lifecycle.errors import CheckpointError, ClusterLockedError
from lifecycle.store import SqliteJournal

if TYPE_CHECKING:
    from lifecycle.cli.wiring import Diagnose
    from lifecycle.diagnosis import Diagnosis

__all__ = ["Causes", "find_causes", "keep_causes", "read_cause", "tell_causes"]

Causes = Mapping[str, Sequence[JsonObject]]  # by step, as they are written


async def find_causes(
    diagnose: Diagnose,
    failures: Sequence[Failure],
    *,
    redact: Callable[[str], str],
    restore: Callable[[], None],
) -> Causes:
    """Look for the causes of failures, side by side; Ctrl-C ends the looking and nothing else.

    A cluster that another run has says all of itself: what is unfinished there is that run's.
    """

    async def look(failure: Failure) -> tuple[str, Sequence[JsonObject]]:
        if isinstance(failure.error, ClusterLockedError):
            return failure.step, []
        found = await diagnose(failure.step, failure.error.message)
        return failure.step, [_value_of(diagnosis, redact) for diagnosis in found]

    looking = asyncio.gather(*(look(failure) for failure in failures))

    def stop() -> None:
        looking.cancel()

    with Interrupts(stop=stop, cancel=stop, restore=restore):
        try:
            return dict(await looking)
        except asyncio.CancelledError:
            return {}


def tell_causes(causes: Sequence[JsonObject]) -> Iterator[str]:
    """Yield the lines that people read: each cause, how it was found, and what repairs it."""
    for cause in causes:
        component = text_at(cause, "component")
        yield f"cause: {text_at(cause, 'cause')}" + (f" (in {component})" if component else "")
        for line in texts_at(cause, "evidence"):
            yield f"  {line}"
        yield f"hint: {text_at(cause, 'command')}"


def keep_causes(causes: Causes, journal: SqliteJournal, log: Listener) -> None:
    """Write causes into journal and log."""
    for step, found in causes.items():
        for cause in found:
            fields = {key: _flatten(value) for key, value in cause.items()}
            log(Event(EventName.STEP_DIAGNOSED, SystemClock().now(), step, fields))
            with suppress(CheckpointError):  # the run has failed already, and says of what
                journal.record_diagnosis(step, json.dumps(cause, ensure_ascii=False))


def read_cause(detail: str) -> JsonObject:
    """Read a cause from the journal; an empty one when it is not readable."""
    try:
        return as_object(parse_json(detail))
    except ValueError:
        return {}


def _flatten(value: Json) -> str:
    """Return a field of a cause as one text, for the log."""
    if isinstance(value, str):
        return value
    return "\n".join(str(line) for line in value) if isinstance(value, Sequence) else ""


def _value_of(diagnosis: Diagnosis, redact: Callable[[str], str]) -> JsonObject:
    return {
        "cause": redact(diagnosis.cause),
        "evidence": [redact(line) for line in diagnosis.evidence],
        "command": redact(diagnosis.command),
        "component": diagnosis.component,
        "signature": diagnosis.signature,
    }

"""After a failure: its first causes, told below the error, kept in journal and log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from lifecycle.cli.interrupt import Interrupts
from lifecycle.drivers.documents import (
    Json,
    JsonObject,
    as_object,
    parse_json,
    text_at,
    texts_at,
)
from lifecycle.engine import Failure

if TYPE_CHECKING:
    from lifecycle.cli.wiring import Diagnose
    from lifecycle.diagnosis import Diagnosis

__all__ = ["Causes", "find_causes", "flatten_field", "read_cause", "tell_causes", "write_cause"]

Causes = Mapping[str, Sequence[JsonObject]]  # by step, as they are written


async def find_causes(
    diagnose: Diagnose,
    failures: Sequence[Failure],
    *,
    redact: Callable[[str], str],
    restore: Callable[[], None],
) -> Causes:
    """Look for the causes of failures, side by side; Ctrl-C ends the looking and nothing else."""

    async def look(failure: Failure) -> tuple[str, Sequence[JsonObject]]:
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


def write_cause(cause: JsonObject) -> str:
    """Write a cause for the journal."""
    return json.dumps(cause, ensure_ascii=False)


def read_cause(detail: str) -> JsonObject:
    """Read a cause from the journal; an empty one when it is not readable."""
    try:
        return as_object(parse_json(detail))
    except ValueError:
        return {}


def flatten_field(value: Json) -> str:
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

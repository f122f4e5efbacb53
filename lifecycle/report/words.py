"""How states and answers are shown: a word always, a mark and a colour where they can be seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lifecycle.engine.answers import Answer, Blocked, Needed, Satisfied, Unknown
from lifecycle.engine.ports import RunState, StepState

__all__ = [
    "RUN_LOOKS",
    "STEP_LOOKS",
    "Look",
    "format_elapsed",
    "look_of_answer",
]


@dataclass(frozen=True, slots=True)
class Look:
    """A word, a mark for terminals with Unicode, one for those without, and a rich style."""

    word: str
    mark: str
    plain_mark: str
    style: str


STEP_LOOKS: Mapping[StepState, Look] = {
    StepState.PENDING: Look("pending", "·", ".", "dim"),
    StepState.WAITING: Look("waiting", "…", "~", "cyan"),
    StepState.RUNNING: Look("running", "▸", ">", "bold"),
    StepState.DONE: Look("done", "✓", "+", "green"),
    StepState.FAILED: Look("failed", "✗", "x", "bold red"),
    StepState.ACCEPTED: Look("accepted", "!", "!", "yellow"),
}
RUN_LOOKS: Mapping[RunState, Look] = {
    RunState.RUNNING: Look("running", "▸", ">", "bold"),
    RunState.FINISHED: Look("finished", "✓", "+", "green"),
    RunState.FAILED: Look("failed", "✗", "x", "bold red"),
    RunState.INTERRUPTED: Look("interrupted", "!", "!", "yellow"),
}


def look_of_answer(answer: Answer) -> Look:
    """Return how a probe's answer is shown in the plan table."""
    match answer:
        case Satisfied():
            return Look("holds", "✓", "+", "green")
        case Needed():
            return Look("to do", "▸", ">", "bold")
        case Blocked():
            return Look("blocked", "✗", "x", "bold red")
        case Unknown():
            return Look("unknown", "?", "?", "dim")


def format_elapsed(seconds: float | None) -> str:
    """Return wall seconds as `0:41`, `12:05` or `1:02:03`; an empty text for None."""
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

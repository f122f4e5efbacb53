"""The one question: shall the plan be carried out?"""

from __future__ import annotations

import signal

from lifecycle.cli.console import Terminal
from lifecycle.errors import InterruptedRunError, PlanError

__all__ = ["ask_to_go_on", "require_answer"]


def require_answer(terminal: Terminal, *, is_confirmed: bool) -> None:
    """Refuse early when a question will come that nobody can answer.

    Raises:
        PlanError: not confirmed, and no terminal to ask on.
    """
    if not is_confirmed and not terminal.can_ask:
        raise PlanError(
            "nobody can be asked: there is no terminal",
            hint="add --yes to go on without a question, or see `invoke plan` first",
        )


def ask_to_go_on(terminal: Terminal, question: str) -> None:
    """Ask; anything but yes ends the command before it changed anything.

    Raises:
        InterruptedRunError: the answer was no, or none.
    """
    # asyncio's own handler would only cancel a task, while `readline` goes on waiting.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        terminal.stderr.write(f"{question} [y/N] ")
        terminal.stderr.flush()
        answer = terminal.stdin.readline()
    except KeyboardInterrupt:
        answer = ""
        terminal.say("")
    finally:
        signal.signal(signal.SIGINT, before)
    if answer.strip().lower() not in {"y", "yes"}:
        raise InterruptedRunError("not confirmed, nothing was changed")

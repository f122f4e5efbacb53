"""The outermost frame: every way in which a command can end becomes a message and an exit code."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from pathlib import Path

from lifecycle.cli.console import Terminal
from lifecycle.errors import InterruptedRunError, LifecycleError
from lifecycle.secrets import Redactor

__all__ = ["make_bug_error", "run_guarded"]


def run_guarded(
    command: Callable[[], int],
    *,
    terminal: Terminal,
    redactor: Redactor,
    crash_log: Path | Callable[[], Path],
) -> int:
    """Run a command and return its exit code; nothing but that ever reaches the caller.

    A bug is a short text; its traceback, without local variables, goes to `crash_log` only.
    """
    try:
        return command()
    except LifecycleError as error:
        return _refuse(terminal, redactor, error)
    except KeyboardInterrupt:
        return _refuse(terminal, redactor, InterruptedRunError("interrupted"))
    except BrokenPipeError:
        # Nobody reads any more (`| head`); Python would complain once more while it closes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), terminal.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 (the edge: a person never sees a traceback)
        log = crash_log if isinstance(crash_log, Path) else crash_log()
        _keep_traceback(log, redactor)
        return _refuse(terminal, redactor, make_bug_error(error, log))


def make_bug_error(error: Exception, log: Path) -> LifecycleError:
    """Say in one line that the program has a bug, and where its traceback is."""
    return LifecycleError(
        f"unexpected error: `{type(error).__name__}`",
        hint=f"this is a bug of ours; the traceback is at the end of {log}",
    )


def _refuse(terminal: Terminal, redactor: Redactor, error: LifecycleError) -> int:
    from lifecycle.report.values import value_of_error  # noqa: PLC0415 (start-up)

    error.message = redactor.redact(error.message)
    error.hint = redactor.redact(error.hint)
    terminal.show_error(error)
    terminal.print_json(value_of_error(error))
    return error.exit_code


def _keep_traceback(crash_log: Path, redactor: Redactor) -> None:
    crash_log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(crash_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        file.write(redactor.redact(traceback.format_exc()))

"""The end of a task: its exit code, and signals that come too early or too late for a run.

Between its first and its last steps a run hears signals itself (`interrupt.py`).
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

from invoke.exceptions import Exit

__all__ = ["finish"]

_Arguments = TypeVar("_Arguments")

# Python looks through all that is left for cycles before it ends: a fifth of a second, for nothing.
atexit.register(gc.freeze)


def finish(command: Callable[[_Arguments, os._Environ[str]], int], arguments: _Arguments) -> None:
    """Run a command and end the task with its exit code.

    SIGTERM asks for what Ctrl-C asks for, so that everything is put back in order. Once a
    command has failed, or was stopped, neither changes its exit code any more.

    Raises:
        Exit: the code is not 0.
    """
    before = signal.signal(signal.SIGTERM, _interrupt)
    code = command(arguments, os.environ)
    if not code:
        signal.signal(signal.SIGTERM, before)
        return
    # Not SIG_IGN: children would inherit that.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _pass_over)
    raise Exit(code=code)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    # Not by way of SIGINT: a script's background jobs ignore that.
    raise KeyboardInterrupt


def _pass_over(_number: int, _frame: FrameType | None) -> None:
    return

"""Tasks that a simulated world cannot do without.

A machine whose task breaks would otherwise only fall silent, and whoever waits for it would look
for the cause in what is rehearsed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

__all__ = ["begin_vital", "end_tasks", "end_with_vital"]

_MARK = "lab_vital"


def begin_vital(work: Coroutine[object, None, None], name: str) -> asyncio.Task[None]:
    """Begin a task; should it end by an exception, the loop's handler hears of it at once."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_judge)
    return task


async def end_tasks(*tasks: asyncio.Task[None] | None) -> None:
    """End tasks, as far as there are any, and wait until they have ended, however they do."""
    there = [task for task in tasks if task is not None]
    for task in there:
        task.cancel()
    await asyncio.gather(*there, return_exceptions=True)


def end_with_vital(end: Callable[[str], None]) -> None:
    """Have the running loop call `end`, with what broke and how, when a vital task has broken.

    The traceback goes where the loop writes others, which is the lab's log.
    """

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        loop.default_exception_handler(context)
        if _MARK in context:
            error = context["exception"]
            end(f"{context[_MARK]} broke: {type(error).__name__}: {error}")

    asyncio.get_running_loop().set_exception_handler(handle)


def _judge(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        name = task.get_name()
        task.get_loop().call_exception_handler(
            {"message": f"{name} broke", "exception": error, "task": task, _MARK: name}
        )

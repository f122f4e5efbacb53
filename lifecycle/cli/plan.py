"""`plan`: every probe of a bootstrap and none of its acts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from lifecycle.cli.console import Terminal, open_terminal
from lifecycle.cli.guard import run_guarded
from lifecycle.cli.options import Arguments, read_run
from lifecycle.cli.place import Site, find_state, open_site
from lifecycle.cli.requests import RunRequest
from lifecycle.cli.wiring import Inputs, Prepare
from lifecycle.clock import SystemClock
from lifecycle.engine import Event, probe_plan
from lifecycle.secrets import Redactor
from lifecycle.store import FileLock
from lifecycle.store.paths import find_state_home

__all__ = ["SOMETHING_TO_DO", "plan", "show_plan"]

SOMETHING_TO_DO = 10


def plan(arguments: Arguments, environ: Mapping[str, str]) -> int:
    """Show what a bootstrap would do; returns 10 when there is something, 0 when nothing."""
    terminal = open_terminal(environ, is_json=arguments.json)
    redactor = Redactor()

    def command() -> int:
        from lifecycle.cli.worlds import prepare_bootstrap  # noqa: PLC0415 (start-up)

        return show_plan(read_run(arguments, environ), terminal, redactor, prepare_bootstrap)

    crash_log = find_state_home(environ) / "crash.log"
    return run_guarded(command, terminal=terminal, redactor=redactor, crash_log=crash_log)


def show_plan(request: RunRequest, terminal: Terminal, redactor: Redactor, prepare: Prepare) -> int:
    """Probe the plan that `prepare` makes and show it; journal and log stay as they are."""
    site = _open_site(request)
    inputs = Inputs(site, request.accepted, request.consented_disks, redactor, _ignore)
    return asyncio.run(_probe_and_show(inputs, terminal, prepare))


def _open_site(request: RunRequest) -> Site:
    state = find_state(request.settings, request.target)
    state.create()
    if request.target.lab is None:
        return open_site(state, request.target)
    # Only starting a lab changes anything; a plan may be looked at while a run goes on.
    from lifecycle.cli.lab import find_lab  # noqa: PLC0415 (start-up)

    if find_lab(state):
        return open_site(state, request.target)
    with FileLock(state.lock, cluster=state.folder.name, now=SystemClock().now()):
        return open_site(state, request.target)


async def _probe_and_show(inputs: Inputs, terminal: Terminal, prepare: Prepare) -> int:
    from lifecycle.report.tables import draw_plan  # noqa: PLC0415 (start-up)
    from lifecycle.report.values import value_of_plan  # noqa: PLC0415 (start-up)

    async with prepare(inputs) as prepared:
        planned = await probe_plan(prepared.plan)
    terminal.show(draw_plan(prepared.plan, planned))
    terminal.print_json(value_of_plan(prepared.plan, planned))
    return SOMETHING_TO_DO if any(node.is_to_do for node in planned) else 0


def _ignore(_event: Event) -> None:
    """Nobody listens to a plan."""

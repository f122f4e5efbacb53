"""`status`: the last run step by step, while it goes on, after it, and after a kill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from lifecycle.cli.console import Terminal, open_terminal
from lifecycle.cli.diagnosing import read_cause, tell_causes
from lifecycle.cli.guard import run_guarded
from lifecycle.cli.options import Arguments, read_cluster, read_settings
from lifecycle.clock import SystemClock
from lifecycle.engine.ports import RunState
from lifecycle.errors import PlanError
from lifecycle.secrets import Redactor
from lifecycle.store import (
    ClusterState,
    find_newest_state,
    read_diagnoses,
    read_holder,
    read_last_run,
)
from lifecycle.store.paths import find_state_home

__all__ = ["show_status", "status"]


def status(arguments: Arguments, environ: Mapping[str, str]) -> int:
    """Show the last run of a cluster, or of any when none is named; returns the exit code."""
    terminal = open_terminal(environ, is_json=arguments.json)

    def command() -> int:
        return show_status(_find_state(arguments, environ), terminal)

    crash_log = find_state_home(environ) / "crash.log"
    return run_guarded(command, terminal=terminal, redactor=Redactor(), crash_log=crash_log)


def show_status(state: ClusterState | None, terminal: Terminal) -> int:
    """Show the last run that the journal in `state` knows.

    Raises:
        PlanError: there was no run yet.
        CheckpointError: the journal is damaged or newer than this program.
    """
    from lifecycle.report.tables import draw_status  # noqa: PLC0415 (start-up)
    from lifecycle.report.values import value_of_status  # noqa: PLC0415 (start-up)

    # The lock is read first: a run that ends in between is seen as ended, never as killed.
    holder = read_holder(state.lock) if state else None
    run = read_last_run(state.journal) if state else None
    if run is None or state is None:
        raise PlanError(
            "there was no run yet", hint="begin with `invoke bootstrap --lab`, a rehearsal"
        )
    is_held = holder is not None and holder.run in {"", run.id}
    is_killed = run.state is RunState.RUNNING and not is_held
    log = str(state.log_of(run.id))
    causes = [read_cause(cause) for _, cause in read_diagnoses(state.journal, run.id)]
    told = str(holder) if holder and is_held else ""
    terminal.show(
        draw_status(
            run,
            is_killed=is_killed,
            now=SystemClock().now(),
            log=log,
            holder=told,
            causes=list(tell_causes(causes)),
        )
    )
    value_of_holder = asdict(holder) if holder and is_held else None
    terminal.print_json(
        value_of_status(run, is_killed=is_killed, log=log, holder=value_of_holder, causes=causes)
    )
    return 0


def _find_state(arguments: Arguments, environ: Mapping[str, str]) -> ClusterState | None:
    settings = read_settings(arguments, environ)
    if not (arguments.repo or arguments.is_lab or environ.get("TALOS_LIFECYCLE_REPO")):
        return find_newest_state(settings.state_home)
    from lifecycle.cli.place import find_state  # noqa: PLC0415 (start-up)

    return find_state(settings, read_cluster(arguments, environ))

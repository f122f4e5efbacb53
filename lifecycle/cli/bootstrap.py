"""`bootstrap`: from bare machines to the last application."""

from __future__ import annotations

from collections.abc import Mapping

from lifecycle.cli.console import open_terminal
from lifecycle.cli.guard import run_guarded
from lifecycle.cli.options import Arguments, read_run
from lifecycle.secrets import Redactor
from lifecycle.store.paths import find_state_home

__all__ = ["bootstrap"]


def bootstrap(arguments: Arguments, environ: Mapping[str, str]) -> int:
    """Bootstrap a cluster, or go on with a bootstrap that was cut off; returns the exit code."""
    terminal = open_terminal(environ, is_json=arguments.json)
    redactor = Redactor()

    def command() -> int:
        from lifecycle.cli.session import RunFrame, run_in_frame  # noqa: PLC0415 (start-up)
        from lifecycle.cli.worlds import prepare_bootstrap  # noqa: PLC0415 (start-up)

        request = read_run(arguments, environ)
        return run_in_frame(RunFrame("bootstrap", request, terminal, redactor), prepare_bootstrap)

    crash_log = find_state_home(environ) / "crash.log"
    return run_guarded(command, terminal=terminal, redactor=redactor, crash_log=crash_log)

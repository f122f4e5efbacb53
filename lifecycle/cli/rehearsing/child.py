"""One bootstrap of a rehearsal in a process of its own, killed on request.

`python -m lifecycle.cli.rehearsing.child FOLDER MOMENT` reads its arguments as JSON from stdin.
It leaves `plan.json` in the folder, and with a moment `covered`, the steps where it was killed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from lifecycle.cli.console import open_terminal
from lifecycle.cli.guard import run_guarded
from lifecycle.cli.options import Arguments, read_run
from lifecycle.cli.rehearsing.killing import Killer
from lifecycle.cli.session import RunFrame, run_in_frame
from lifecycle.cli.wiring import Inputs, Prepared
from lifecycle.cli.worlds import prepare_bootstrap
from lifecycle.engine import Step
from lifecycle.secrets import Redactor

__all__ = ["run_child"]


def run_child(folder: Path, arguments: Arguments, killer: Killer | None) -> int:
    """Bootstrap and return the exit code, unless the killer ends the process before."""

    @asynccontextmanager
    async def prepare(inputs: Inputs) -> AsyncIterator[Prepared]:
        listener = killer.listen(inputs.listener) if killer else inputs.listener
        async with prepare_bootstrap(replace(inputs, listener=listener)) as prepared:
            steps = [node.name for node in prepared.plan.nodes if isinstance(node, Step)]
            names = [node.name for node in prepared.plan.nodes]
            plan = json.dumps({"all": names, "steps": steps})
            (folder / "plan.json").write_text(plan, encoding="utf-8")
            if killer is None:
                yield prepared
                return
            nodes = tuple(killer.guard(node) for node in prepared.plan.nodes)
            yield replace(prepared, plan=replace(prepared.plan, nodes=nodes))

    redactor = Redactor()
    terminal = open_terminal(os.environ, is_json=arguments.json)

    def command() -> int:
        frame = RunFrame("bootstrap", read_run(arguments, os.environ), terminal, redactor)
        return run_in_frame(frame, prepare)

    return run_guarded(
        command, terminal=terminal, redactor=redactor, crash_log=folder / "crash.log"
    )


def _main() -> int:
    folder, moment = Path(sys.argv[1]), sys.argv[2]
    sys.argv = ["rehearse"]  # what hints say that goes on from here
    arguments = Arguments(**json.load(sys.stdin))
    return run_child(folder, arguments, Killer(moment, folder / "covered") if moment else None)


if __name__ == "__main__":
    code = _main()
    sys.stdout.flush()
    os._exit(code)  # as a killed process ends: nothing is waited for

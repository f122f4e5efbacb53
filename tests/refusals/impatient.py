"""A bootstrap that waits for machines for seconds instead of minutes, else as it is.

Its arguments are faults of the lab.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from lifecycle.cli.console import open_terminal
from lifecycle.cli.guard import run_guarded
from lifecycle.cli.options import Arguments, read_run
from lifecycle.cli.session import RunFrame, run_in_frame
from lifecycle.cli.wiring import Inputs, Prepared
from lifecycle.cli.worlds import prepare_bootstrap
from lifecycle.engine import Node, Patience
from lifecycle.gates.machine import MachineIsKnown
from lifecycle.secrets import Redactor
from lifecycle.steps.apply_config import ApplyMachineConfig
from lifecycle.store import find_state_home

# Of the run's own time, in which patience passes ten times as fast as the wall's in the lab.
_UNTIL_KNOWN = Patience(stall=timedelta(seconds=5), deadline=timedelta(seconds=10))
# In a lab two hundred times as fast as life, installing takes a second or two.
_UNTIL_INSTALLED = Patience(stall=timedelta(seconds=60), deadline=timedelta(seconds=90))


@asynccontextmanager
async def prepare_impatiently(inputs: Inputs) -> AsyncIterator[Prepared]:
    """Prepare a bootstrap that gives up recognising and installing machines soon."""
    async with prepare_bootstrap(inputs) as prepared:
        nodes = tuple(_hasten(node) for node in prepared.plan.nodes)
        yield replace(prepared, plan=replace(prepared.plan, nodes=nodes))


def _hasten(node: Node) -> Node:
    if isinstance(node, MachineIsKnown):
        return replace(node, patience=_UNTIL_KNOWN)
    if isinstance(node, ApplyMachineConfig):
        return replace(node, patience=_UNTIL_INSTALLED)
    return node


def main() -> int:
    """Run it in the lab, as `invoke bootstrap --lab --yes` does."""
    os.environ.pop("KUBEBUILDER_ASSETS", None)  # the lab's own Kubernetes, whatever is at hand
    redactor = Redactor()
    terminal = open_terminal(os.environ)

    def command() -> int:
        request = read_run(Arguments(is_lab=True, yes=True, faults=sys.argv[1:]), os.environ)
        frame = RunFrame("bootstrap", request, terminal, redactor)
        return run_in_frame(frame, prepare_impatiently)

    crash_log = find_state_home(os.environ) / "crash.log"
    return run_guarded(command, terminal=terminal, redactor=redactor, crash_log=crash_log)


if __name__ == "__main__":
    sys.exit(main())

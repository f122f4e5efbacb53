"""A bootstrap that kills itself at the first step where it was not killed before.

It dies at one of four moments: `enter` (before the first probe of a step or gate), `begin` (the
intent is on disk, nothing is done), `middle` (a command of the act runs, or a request has
changed something), `end` (the act is done, and not on record).
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from lifecycle.cli.console import open_terminal
from lifecycle.cli.guard import run_guarded
from lifecycle.cli.options import Arguments, read_run
from lifecycle.cli.session import RunFrame, run_in_frame
from lifecycle.cli.wiring import Inputs, Prepared
from lifecycle.cli.worlds import prepare_bootstrap
from lifecycle.engine import Answer, Event, EventName, Listener, Node, Step
from lifecycle.secrets import Redactor
from tests.lab_life import guard_node

__all__ = ["run_child"]

# A command is given this long to be well under way; the shortest takes about as long.
_UNDER_WAY_S = 0.02


class Killer:
    """Knows where the run was killed before, and dies at the first other step."""

    def __init__(self, moment: str, covered: Path) -> None:
        self._moment = moment
        self._file = covered
        self._covered = set(covered.read_text(encoding="utf-8").splitlines())
        self._acting: set[str] = set()

    def at(self, step: str, moment: str, *, after_s: float = 0.0) -> None:
        """Die here, or in a moment, unless this was covered before."""
        if moment != self._moment or step in self._covered:
            return
        self._covered.add(step)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"{step}\n")
        if after_s:
            threading.Timer(after_s, _die).start()
        else:
            _die()

    def listen(self, listener: Listener) -> Listener:
        """Pass events on, and die in the middle of acts."""

        def hear(event: Event) -> None:
            listener(event)
            if event.step in self._acting:
                if event.name is EventName.COMMAND_STARTED:
                    self.at(event.step, "middle", after_s=_UNDER_WAY_S)
                if event.name is EventName.API_REQUESTED:
                    self.at(event.step, "middle")

        return hear

    def guard(self, node: Node) -> Node:
        """Return the same step or gate, with a killer around its probe and its act."""
        killer, kind = self, type(node)

        async def probe(self: Node) -> Answer:
            killer.at(self.name, "enter")
            return await kind.probe(self)

        async def apply(self: Step) -> None:
            killer.at(self.name, "begin")
            killer._acting.add(self.name)
            await kind.apply(self)  # type: ignore[attr-defined] # only steps have it
            killer._acting.discard(self.name)
            killer.at(self.name, "end")

        acts = {"apply": apply} if isinstance(node, Step) else {}
        return guard_node(node, {"probe": probe, **acts})


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def run_child(folder: Path, arguments: Arguments, moment: str, covered: Path) -> None:
    """Run in a process of its own, everything below `folder`; exits with the run's exit code."""
    os.environ.update(
        XDG_STATE_HOME=str(folder / "state"),
        XDG_RUNTIME_DIR=str(folder / "runtime"),
        TMPDIR=str(folder / "tmp"),
    )
    output = os.open(folder / "output.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    killer = Killer(moment, covered)

    @asynccontextmanager
    async def prepare(inputs: Inputs) -> AsyncIterator[Prepared]:
        heard = replace(inputs, listener=killer.listen(inputs.listener))
        async with prepare_bootstrap(heard) as prepared:
            steps = [node.name for node in prepared.plan.nodes if isinstance(node, Step)]
            names = [node.name for node in prepared.plan.nodes]
            (folder / "plan.json").write_text(json.dumps({"all": names, "steps": steps}))
            nodes = tuple(killer.guard(node) for node in prepared.plan.nodes)
            yield replace(prepared, plan=replace(prepared.plan, nodes=nodes))

    redactor = Redactor()
    terminal = open_terminal(os.environ, is_json=False)

    def command() -> int:
        frame = RunFrame("bootstrap", read_run(arguments, os.environ), terminal, redactor)
        return run_in_frame(frame, prepare)

    code = run_guarded(
        command, terminal=terminal, redactor=redactor, crash_log=folder / "crash.log"
    )
    os._exit(code)

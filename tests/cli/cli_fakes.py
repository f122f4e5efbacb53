"""A world of files, steps that write them, and a program that runs them as a real process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from lifecycle.cli.console import open_terminal
from lifecycle.cli.guard import run_guarded
from lifecycle.cli.options import Arguments, read_run
from lifecycle.cli.plan import show_plan
from lifecycle.cli.session import RunFrame, run_in_frame
from lifecycle.cli.wiring import Inputs, Prepare, Prepared
from lifecycle.clock import SystemClock
from lifecycle.engine import (
    Answer,
    Blocked,
    Event,
    EventName,
    Listener,
    Needed,
    Patience,
    Satisfied,
    make_plan,
)
from lifecycle.errors import PermanentError
from lifecycle.secrets import Redactor, Secret

SECRET = "hunter2-hunter2"


@dataclass(frozen=True, slots=True)
class FileStep:
    """Writes a file; `minutes` of simulated time pass meanwhile."""

    world: Path
    name: str
    seconds: float = 0.0
    trouble: str = ""
    after: tuple[str, ...] = ()
    warning: str = ""
    listener: Listener | None = None  # told of a command that is only pretended
    patience: Patience = Patience(poll=timedelta(seconds=0.01))

    @property
    def title(self) -> str:
        """For people."""
        return f"Write {self.name}"

    async def probe(self) -> Answer:
        """Look whether the file is there."""
        if self.trouble == "blocked":
            return Blocked("VIP is taken: `10.0.0.1`", "release it")
        if (self.world / self.name).exists():
            return Satisfied("written")
        return Needed("no file")

    async def apply(self) -> None:
        """Write the file, or fail as scripted."""
        (self.world / f"{self.name}.begun").touch()
        if self.listener:
            told = {"tool": "git", "argv": "status"}
            self.listener(Event(EventName.COMMAND_STARTED, SystemClock().now(), fields=told))
        await asyncio.sleep(self.seconds)
        if self.trouble == "bug":
            raise ValueError(SECRET)
        if self.trouble == "fails":
            raise PermanentError(f"disk is gone, said {SECRET}", hint="replace the disk")
        (self.world / self.name).touch()


def make_prepare(world: Path, script: Sequence[Mapping[str, object]]) -> Prepare:
    """Build a plan of steps that come one after the other."""

    @asynccontextmanager
    async def prepare(inputs: Inputs) -> AsyncIterator[Prepared]:
        inputs.redactor.learn([Secret(SECRET)])
        steps: list[FileStep] = []
        for row in script:
            after = (steps[-1].name,) if steps else ()
            steps.append(
                FileStep(
                    world,
                    str(row["name"]),
                    float(str(row.get("seconds", 0))),
                    str(row.get("trouble", "")),
                    after,
                    str(row.get("warning", "")),
                    inputs.listener if row.get("runs") else None,
                )
            )
        yield Prepared(
            make_plan("bootstrap", inputs.site.cluster, steps), SystemClock(), ["a note"]
        )

    return prepare


def run_command(
    command: str, repo: Path, script: Sequence[Mapping[str, object]], environ: Mapping[str, str]
) -> int:
    """Run `bootstrap` or `plan` on scripted steps, in this process."""
    words = command.split()
    arguments = Arguments(
        repo=str(repo), yes="--yes" in words, json="--json" in words, verbose="--verbose" in words
    )
    terminal = open_terminal(environ, is_json=arguments.json)
    redactor = Redactor()
    world = repo / "world"
    world.mkdir(exist_ok=True)

    def act() -> int:
        request = read_run(arguments, environ)
        prepare = make_prepare(world, script)
        if words[0] == "plan":
            return show_plan(request, terminal, redactor, prepare)
        return run_in_frame(RunFrame("bootstrap", request, terminal, redactor), prepare)

    crash_log = Path(environ["TALOS_LIFECYCLE_STATE"]) / "crash.log"
    return run_guarded(act, terminal=terminal, redactor=redactor, crash_log=crash_log)


def main() -> None:
    """Run as a process: `COMMAND REPO SCRIPT`, the script as JSON."""
    import json  # noqa: PLC0415 (only when run as a program)
    import os  # noqa: PLC0415

    command, repo, script = sys.argv[1:]
    sys.exit(run_command(command, Path(repo), json.loads(script), os.environ))


if __name__ == "__main__":
    main()

"""`python -m lab serve`: one simulated world in one process, until it is told to end.

With `--assets`, a real kube-apiserver and etcd of that folder run in it.

`python -m lab break` breaks a private copy of a repository, as `lab/mending.py` says.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import sys
from pathlib import Path

from lab.faults import FaultError, parse_fault, read_fault_file
from lab.mending import break_one_by_one
from lab.tools import ToolFailedError, ToolMissingError
from lab.vital import end_with_vital
from lab.world import DEFAULT_SPEED, LabRequest, LabWorld

__all__ = ["main"]

# A lab that nobody takes down must not run for ever; a night of play is enough.
_LIFETIME_S = 12 * 3600


def main() -> int:
    """Serve a lab; with why on stderr.

    Exit codes: 2 when it cannot be made, 3 for a wrong fault, 4 when something in it broke.
    """
    try:
        given = _parse(sys.argv[1:])
        request = _make_request(given)
        if given.command == "break":
            break_one_by_one(request, sys.stdin, sys.stdout)
        else:
            broken = asyncio.run(_serve(request))
            if broken:
                print(f"error: {broken}", file=sys.stderr)  # noqa: T201 (the lab's log)
                return 4
    except FaultError as error:
        print(f"error: {error}", *error.__notes__, sep="\n", file=sys.stderr)  # noqa: T201 (log)
        return 3
    except (ToolFailedError, ToolMissingError, ValueError, OSError) as error:
        notes = getattr(error, "__notes__", [])
        print(f"error: {error}", *notes, sep="\n", file=sys.stderr)  # noqa: T201 (the lab's log)
        return 2
    return 0


async def _serve(request: LabRequest) -> str:
    """Serve until told to end; returns what broke, "" when nothing did."""
    _collect_seldom()
    ended = asyncio.Event()
    broken: list[str] = []

    def end(what: str) -> None:
        broken.append(what)
        ended.set()

    end_with_vital(end)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    world = LabWorld(request)
    try:
        await world.start()
        async with asyncio.timeout(_LIFETIME_S):
            await ended.wait()
    except TimeoutError:
        pass
    finally:
        await world.stop()
    return broken[0] if broken else ""


def _collect_seldom() -> None:
    """Keep the garbage collector out of the way of what is simulated.

    Looking through all objects stops the lab for 0.15 s, more than a simulated second, and finds
    next to nothing: what the lab holds is in use, and what it drops is seldom a cycle.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command")
    serve = commands.add_parser("serve", help="serve a lab")
    mend = commands.add_parser("break", help="break a private copy by the faults that are asked")
    for command in (serve, mend):
        _add_place(command)
    serve.add_argument("--charts", type=Path, action="append", default=[], help="chart folder")
    serve.add_argument("--speed", type=float, default=DEFAULT_SPEED, help="of simulated time")
    serve.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME[:TARGET][@STEP|@SECONDS][+SECONDS]",
        help="fault of the catalogue; may be repeated",
    )
    serve.add_argument(
        "--faults", type=Path, action="append", default=[], help="file of faults; may be repeated"
    )
    serve.add_argument(
        "--assets", type=Path, help="folder with a real kube-apiserver and etcd to run"
    )
    return parser.parse_args(arguments)


def _add_place(command: argparse.ArgumentParser) -> None:
    command.add_argument("--dir", type=Path, required=True, help="folder of the world")
    command.add_argument("--repo", type=Path, help="repository to rehearse; the sample otherwise")
    command.add_argument("--cluster", default="", help="cluster in the repository")
    command.add_argument("--tools", type=Path, action="append", default=[], help="tool folder")
    command.add_argument("--age-key", type=Path, help="the user's own age key")


def _make_request(given: argparse.Namespace) -> LabRequest:
    if given.age_key:
        os.environ["SOPS_AGE_KEY_FILE"] = str(given.age_key.resolve())  # as the user's sops would
    if given.command == "break":
        return LabRequest(
            folder=given.dir,
            repository=given.repo,
            cluster=given.cluster,
            tools=tuple(given.tools),
        )
    return LabRequest(
        folder=given.dir,
        repository=given.repo,
        cluster=given.cluster,
        charts=tuple(given.charts),
        tools=tuple(given.tools),
        speed=given.speed,
        faults=(
            *map(parse_fault, given.fault),
            *(fault for path in given.faults for fault in read_fault_file(path)),
        ),
        assets=given.assets,
    )


if __name__ == "__main__":
    sys.exit(main())

"""`invoke bench`: runs in the lab against the lab's own critical path, and reading repositories.

Nothing here is a test: a shared machine may be busy, so the table shows figures, their spread
and the load under which they came about, and leaves the judging to people.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ci.bench_inventory import draw_inventory
from ci.bench_machines import draw_machines
from ci.bench_runs import Case, FailedRunError, rehearse
from ci.bench_values import Rehearsal, describe_spread

__all__ = ["main"]

_SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
_SAMPLE = Case("sample")
_NOMENATOR = Case(
    "nomenator",
    ("--repo", str(_SHARED / "repos" / "nomenator")),
    # Its tuppr names a source that does not exist: the known fault that a user accepts.
    ("--charts", str(_SHARED / "charts"), "--accept", "tuppr"),
)
_CASES = {case.name: case for case in (_SAMPLE, _NOMENATOR)}
_MACHINES = "machines"
_INVENTORY = "inventory"  # reading and judging, in fresh processes
_WITHOUT_RUNS: Mapping[str, Callable[[], str]] = {
    _MACHINES: draw_machines,
    _INVENTORY: draw_inventory,
}
_KIB_A_MIB = 1024

_FOOTNOTES = """\
run             from a lab that stands to the end of the command
critical path   the heaviest chain of the lab's waits in which each caused the next, on the wall:
                simulated waits at the lab's speed, and in it the measured work of the lab's own
                tools (what its Flux renders, builds and fetches); lab/ledger.py says what causes
run / path      1.00 is a run that waits for nothing but its world; at life's speed: the same
                seconds of its own beside waits that pass as slowly as they do in life
making the lab  until lab.json is written: a new key, everything encrypted, charts, machines
second run      the same command once more: every probe, nothing to do
first probe     from the start of the process to the first `step.probed` of its log
processor       user and system time of the command and its tools, of the lab and its tools, and
                how many cores both kept busy on average during the first command
peak memory     VmHWM of the command's own process (tools left out) and of the lab's
load            one-minute load average of this machine at the start of each rehearsal
inventory       size is the number of Kustomizations; each is processor time for one of them"""


def main() -> int:
    """Measure and print; exit code 1 when a run failed."""
    options = _parse(sys.argv[1:])
    for name in options.only or [*_CASES, *_WITHOUT_RUNS]:
        if name in _WITHOUT_RUNS:
            print(_WITHOUT_RUNS[name](), flush=True)
            continue
        if name == _NOMENATOR.name and not _SHARED.is_dir():
            print(f"{name}: skipped: there is no {_SHARED}")
            continue
        try:
            done = [rehearse(_CASES[name], options.speed) for _ in range(options.runs)]
        except FailedRunError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        print(_draw(done), flush=True)
        if options.chain:
            print(_draw_chain(done[-1]), flush=True)
    print(_FOOTNOTES)
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="invoke bench", description=__doc__)
    parser.add_argument(
        "--only",
        action="append",
        choices=[*_CASES, *_WITHOUT_RUNS],
        help="case to measure; may be repeated",
    )
    parser.add_argument("--runs", type=int, default=1, help="rehearsals of each case")
    parser.add_argument("--speed", type=float, help="of the lab; its default otherwise")
    parser.add_argument("--chain", action="store_true", help="print the critical path itself")
    return parser.parse_args(arguments)


def _draw(done: Sequence[Rehearsal]) -> str:
    first = [item.first for item in done]
    again = [item.again for item in done]
    rows = [
        ("run", describe_spread([item.run_s for item in first])),
        ("critical path", _describe_path(done)),
        ("run / path", describe_spread([item.ratio for item in done], "")),
        ("  at life's speed", describe_spread([item.ratio_in_life for item in done], "")),
        ("making the lab", describe_spread([item.ready_s for item in first])),
        ("second run", describe_spread([item.wall_s for item in again])),
        ("first probe", describe_spread([item.first_probe_s for item in again])),
        ("  with a new lab", describe_spread([item.first_probe_s for item in first])),
        ("processor", _describe_processor(done)),
        ("  second run", describe_spread([item.cpu_s for item in again])),
        ("peak memory", _describe_memory(done)),
        ("load", describe_spread([item.load for item in done], "")),
    ]
    head = f"{done[0].name}: {len(done)} rehearsal(s), {done[0].speed:g} times as fast as life, "
    lines = [head + f"{os.cpu_count()} cores"]
    return "\n".join([*lines, *(f"  {name:<17} {value}" for name, value in rows), ""])


def _describe_path(done: Sequence[Rehearsal]) -> str:
    work = describe_spread([item.chain.work_s for item in done])
    return f"{describe_spread([item.chain.wall_s for item in done])}, of which tools {work}"


def _describe_processor(done: Sequence[Rehearsal]) -> str:
    run = describe_spread([item.first.cpu_s for item in done])
    lab = describe_spread([item.lab_cpu_s for item in done])
    return f"{run}; lab {lab}; cores {describe_spread([item.cores for item in done], '')}"


def _describe_memory(done: Sequence[Rehearsal]) -> str:
    run = describe_spread([item.first.peak_kib / _KIB_A_MIB for item in done], "MiB")
    lab = describe_spread([item.lab_peak_kib / _KIB_A_MIB for item in done], "MiB")
    return f"{run}; lab {lab}"


def _draw_chain(rehearsal: Rehearsal) -> str:
    lines = [
        f"  {link.wall_s:6.2f} s {'work' if link.is_work else '    '} {link.what}"
        for link in rehearsal.chain.links
    ]
    return "\n".join(["critical path:", *lines, ""])


if __name__ == "__main__":
    sys.exit(main())

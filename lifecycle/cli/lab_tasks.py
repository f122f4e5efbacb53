"""The tasks `lab.*`: a lab left standing, to play with."""

from __future__ import annotations

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from lifecycle.cli.finish import finish
from lifecycle.cli.helps import CLUSTER_HELP, FAULT_HELP, OUTPUT_HELP
from lifecycle.cli.options import Arguments

__all__ = ["LAB"]


@task(
    auto_shortflags=False,
    iterable=["charts", "fault", "faults"],
    help={key: text for key, text in CLUSTER_HELP.items() if key != "lab"}
    | FAULT_HELP
    | OUTPUT_HELP,
)
def up(
    _context: Context,
    *,
    repo: str = "",
    cluster: str = "",
    age_key: str = "",
    charts: list[str] | None = None,
    fault: list[str] | None = None,
    faults: list[str] | None = None,
    fault_seed: str = "",
    speed: str = "",
    json: bool = False,
) -> None:
    """Start a lab and leave it standing, to play with.

    Its machines are in maintenance mode; `bootstrap --lab` finds it by the same repository.
    A lab that stands already is only shown, and given the faults.

    Examples:
      invoke lab.up
      invoke lab.up --repo ~/cluster --speed 20
      invoke lab.up --fault silent@30
    """
    from lifecycle.cli.lab_commands import lab_up  # noqa: PLC0415 (start-up)

    finish(
        lab_up,
        Arguments(
            repo=repo,
            cluster=cluster,
            is_lab=True,
            speed=speed,
            age_key=age_key,
            charts=charts or (),
            faults=fault or (),
            fault_files=faults or (),
            fault_seed=fault_seed,
            json=json,
        ),
    )


_LAB_HELP = {
    "repo": "Path of the repository that is rehearsed; without it, the sample",
    "cluster": CLUSTER_HELP["cluster"],
} | OUTPUT_HELP


@task(auto_shortflags=False, help=_LAB_HELP)
def down(
    _context: Context,
    *,
    repo: str = "",
    cluster: str = "",
    json: bool = False,
) -> None:
    """Stop a lab and forget its cluster and its runs.

    Example:
      invoke lab.down
    """
    from lifecycle.cli.lab_commands import lab_down  # noqa: PLC0415 (start-up)

    finish(lab_down, Arguments(repo=repo, cluster=cluster, is_lab=True, json=json))


@task(name="status", auto_shortflags=False, help=_LAB_HELP)
def lab_status(
    _context: Context,
    *,
    repo: str = "",
    cluster: str = "",
    json: bool = False,
) -> None:
    """Show whether a lab stands, and where its cluster is reached.

    Example:
      invoke lab.status --json
    """
    from lifecycle.cli.lab_commands import lab_status as show  # noqa: PLC0415 (start-up)

    finish(show, Arguments(repo=repo, cluster=cluster, is_lab=True, json=json))


@task(
    name="fault",
    auto_shortflags=False,
    iterable=["set_", "clear"],
    help=_LAB_HELP
    | {
        "set": "Fault to make, NAME[:TARGET][@STEP|@SECONDS][+SECONDS]; may be repeated",
        "clear": "Fault to end, NAME[:TARGET]; may be repeated",
        "known": "List of every fault that can be made",
    },
)
def lab_fault(
    _context: Context,
    *,
    set_: list[str] | None = None,
    clear: list[str] | None = None,
    known: bool = False,
    repo: str = "",
    cluster: str = "",
    json: bool = False,
) -> None:
    """Make things go wrong in a standing lab, end that, and list it.

    Without --set and --clear, it lists what is on and what waits for its moment: a step of the
    next run, or simulated seconds from now.

    Exit codes: 0 done, 2 no lab stands, or no such fault or target.

    Examples:
      invoke lab.fault --set two-disks:sample-worker-1
      invoke lab.fault --set unreachable:sample-worker-1@install-flux
      invoke lab.fault --clear two-disks
      invoke lab.fault --known
    """
    from lifecycle.cli.lab_commands import lab_fault as switch  # noqa: PLC0415 (start-up)

    finish(
        switch,
        Arguments(
            repo=repo,
            cluster=cluster,
            is_lab=True,
            faults=set_ or (),
            cleared=clear or (),
            is_known_shown=known,
            json=json,
        ),
    )


LAB = Collection(up, down, lab_status, lab_fault)

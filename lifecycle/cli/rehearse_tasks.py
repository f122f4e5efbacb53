"""The task `rehearse`: a repository in the lab, plain, killed at every step, and under faults."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from lifecycle.cli.finish import finish
from lifecycle.cli.helps import ALLOW_HELP, CLUSTER_HELP, OUTPUT_HELP
from lifecycle.cli.options import Arguments

__all__ = ["rehearse"]


@task(
    auto_shortflags=False,
    iterable=["accept", "charts", "fault"],
    help={key: text for key, text in CLUSTER_HELP.items() if key != "lab"}
    | {"accept": ALLOW_HELP["accept"]}
    | OUTPUT_HELP
    | {
        "only": "Parts to try, of plain, kills, faults and broken, separated by commas",
        "fault": "Name of a fault to try, else each that applies; may be repeated",
        "moments": "Moments of kills, of enter, begin, middle and end, separated by commas",
        "kills": "Number of kills of each moment, evenly spread; at every step without it",
        "limit": "Number of seconds after which a run is ended; 300 without it",
        "again": "Repetition of what an earlier rehearsal of the same commit has shown",
    },
)
def rehearse(
    _context: Context,
    *,
    repo: str = "",
    cluster: str = "",
    age_key: str = "",
    speed: str = "",
    json: bool = False,
    accept: list[str] | None = None,
    charts: list[str] | None = None,
    fault: list[str] | None = None,
    only: str = "",
    moments: str = "",
    kills: str = "",
    limit: str = "",
    again: bool = False,
) -> None:
    """Rehearse a repository: plain, killed at every step, under each fault.

    Faults of the repository are validated, and bootstrapped as the part broken.

    Every run is one in the lab, on a private copy of HEAD; without --repo, of the sample. It
    says first how many there will be. Stopped by Ctrl-C or killed, the same command goes on.

    Exit codes: 0 all held, 1 something did not, 2 wrong request, 3 another rehearsal of this
    repository runs, 4 the repository cannot be copied, 7 a tool failed, 130 stopped.

    Examples:
      invoke rehearse --only plain
      invoke rehearse --repo ~/cluster --accept tuppr
      invoke rehearse --repo ~/cluster --fault silent --fault vip-of-node
      invoke rehearse --repo ~/cluster --only kills --moments begin,middle
    """
    from lifecycle.cli.rehearsing.command import rehearse as run  # noqa: PLC0415 (start-up)
    from lifecycle.cli.rehearsing.values import RehearseArguments  # noqa: PLC0415 (start-up)

    base = Arguments(
        repo=repo,
        cluster=cluster,
        speed=speed,
        age_key=age_key,
        charts=charts or (),
        faults=fault or (),
        accept=accept or (),
        json=json,
        is_lab=True,
    )
    finish(run, RehearseArguments(base, only, moments, kills, limit, is_again=again))

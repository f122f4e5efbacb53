"""The tasks of the `lifecycle` command and of `invoke`: arguments in, exit code out.

Invoke takes the kind of an option from its default and ignores annotations; options are long
only, so that adding one never changes the letter of another.
"""

from __future__ import annotations

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from lifecycle.cli.finish import finish
from lifecycle.cli.helps import ALLOW_HELP, CLUSTER_HELP, FAULT_HELP, OUTPUT_HELP
from lifecycle.cli.lab_tasks import LAB
from lifecycle.cli.options import Arguments
from lifecycle.cli.reading_tasks import graph, inventory, validate
from lifecycle.cli.rehearse_tasks import rehearse

__all__ = ["namespace"]


@task(
    auto_shortflags=False,
    iterable=["accept", "consent_disk", "charts", "fault", "faults"],
    help=CLUSTER_HELP
    | ALLOW_HELP
    | FAULT_HELP
    | OUTPUT_HELP
    | {
        "yes": "Consent to the plan without a question",
        "verbose": "Lines instead of the live table, with every command that is run",
    },
)
def bootstrap(
    _context: Context,
    *,
    repo: str = "",
    cluster: str = "",
    lab: bool = False,
    yes: bool = False,
    json: bool = False,
    verbose: bool = False,
    accept: list[str] | None = None,
    consent_disk: list[str] | None = None,
    charts: list[str] | None = None,
    fault: list[str] | None = None,
    faults: list[str] | None = None,
    fault_seed: str = "",
    age_key: str = "",
    speed: str = "",
) -> None:
    """Take a cluster from bare machines to its last application.

    Every step probes the cluster first, so the command may be stopped or killed at any moment
    and simply run again. Ctrl-C stops at the next safe point, Ctrl-C twice at once.

    Exit codes: 0 done, 2 wrong request or repository, 3 another run has the cluster, 4 refused
    before any change, 5 a step failed, 6 something did not become ready, 7 a tool or an API
    failed, 8 the journal is damaged, 130 stopped.

    Examples:
      invoke bootstrap --lab --yes
      invoke bootstrap --lab --yes --fault two-disks:sample-worker-1
      invoke bootstrap --lab --yes --fault-seed 7
      invoke bootstrap --lab --repo ~/cluster --age-key ~/cluster/age.agekey
      invoke bootstrap --repo ~/cluster --cluster main
    """
    from lifecycle.cli.bootstrap import bootstrap as run  # noqa: PLC0415 (start-up)

    finish(
        run,
        Arguments(
            repo=repo,
            cluster=cluster,
            is_lab=lab,
            speed=speed,
            age_key=age_key,
            charts=charts or (),
            faults=fault or (),
            fault_files=faults or (),
            fault_seed=fault_seed,
            accept=accept or (),
            consent_disk=consent_disk or (),
            yes=yes,
            json=json,
            verbose=verbose,
        ),
    )


@task(
    auto_shortflags=False,
    iterable=["accept", "consent_disk", "charts"],
    help=CLUSTER_HELP | ALLOW_HELP | OUTPUT_HELP,
)
def plan(
    _context: Context,
    *,
    repo: str = "",
    cluster: str = "",
    lab: bool = False,
    json: bool = False,
    accept: list[str] | None = None,
    consent_disk: list[str] | None = None,
    charts: list[str] | None = None,
    age_key: str = "",
    speed: str = "",
) -> None:
    """Show what a bootstrap would do, changing nothing.

    Every probe is asked and no step is carried out. What an earlier step must bring about first
    cannot be seen yet and counts as something to do.

    Exit codes: 0 nothing to do, 10 something to do, others as of `bootstrap`.

    Examples:
      invoke plan --lab
      invoke plan --repo ~/cluster --cluster main --json
    """
    from lifecycle.cli.plan import plan as show  # noqa: PLC0415 (start-up)

    finish(
        show,
        Arguments(
            repo=repo,
            cluster=cluster,
            is_lab=lab,
            speed=speed,
            age_key=age_key,
            charts=charts or (),
            accept=accept or (),
            consent_disk=consent_disk or (),
            json=json,
        ),
    )


@task(
    auto_shortflags=False,
    help={
        "repo": "Path of the cluster repository; without it, the run that wrote last",
        "cluster": CLUSTER_HELP["cluster"],
        "lab": "Rehearsal of that repository, or of the sample",
    }
    | OUTPUT_HELP,
)
def status(
    _context: Context,
    *,
    repo: str = "",
    cluster: str = "",
    lab: bool = False,
    json: bool = False,
) -> None:
    """Show the last run step by step, with what was last seen.

    Works while a run goes on, after it, and after it was killed; the cluster is not asked.

    Examples:
      invoke status
      invoke status --repo ~/cluster --json
    """
    from lifecycle.cli.status import status as show  # noqa: PLC0415 (start-up)

    finish(show, Arguments(repo=repo, cluster=cluster, is_lab=lab, json=json))


namespace = Collection(bootstrap, plan, rehearse, status, inventory, graph, validate, lab=LAB)

"""The tasks that only read a repository: arguments in, exit code out."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from lifecycle.cli.finish import finish
from lifecycle.cli.reading import ReadingArguments

__all__ = ["graph", "inventory", "validate"]

_HELP = {
    "repo": "Path of the cluster repository; any folder will do, it need not be in Git",
    "cluster": "Name of the cluster, or all that the repository holds",
}
_CHARTS_HELP = {
    "charts": "Folder of a chart cache, <name>-<version>.tgz, to look into; may be repeated"
}
_JSON_HELP = {"json": "Output of one JSON document on stdout, for machines"}


@task(auto_shortflags=False, help=_HELP | _JSON_HELP)
def inventory(_context: Context, *, repo: str = "", cluster: str = "", json: bool = False) -> None:
    """Show what a cluster repository holds.

    Versions, nodes, entries, layers with their components and releases, sources. Read from files
    alone: no cluster, no tool and no age key is needed, and nothing is written.

    Examples:
      invoke inventory --repo ~/cluster
      invoke inventory --repo ~/cluster --cluster main --json
    """
    from lifecycle.cli.inventory import inventory as show  # noqa: PLC0415 (start-up)

    finish(show, ReadingArguments(repo=repo, cluster=cluster, json=json))


@task(
    auto_shortflags=False,
    iterable=["charts"],
    help={
        "repo": _HELP["repo"],
        "cluster": "Name of the cluster, needed when the repository holds several",
        "format": "Kind of drawing: text, mermaid or svg; else the suffix of --output decides",
        "output": "File to write the drawing to, instead of stdout",
    }
    | _CHARTS_HELP,
)
def graph(
    _context: Context,
    *,
    repo: str = "",
    cluster: str = "",
    format: str = "",  # noqa: A002 (the option's name)
    output: str = "",
    charts: list[str] | None = None,
) -> None:
    """Draw who waits for whom, and why.

    What the repository declares (==> in text, solid lines elsewhere) is told apart from what its
    objects show (-->, dashed lines) and from the order of layers (~~>, dotted or thick lines
    between them); a cycle is marked.

    Examples:
      invoke graph --repo ~/cluster
      invoke graph --repo ~/cluster --format mermaid
      invoke graph --repo ~/cluster --output graph.svg
    """
    from lifecycle.cli.graph import graph as draw  # noqa: PLC0415 (start-up)

    finish(
        draw,
        ReadingArguments(
            repo=repo, cluster=cluster, format=format, output=output, charts=charts or ()
        ),
    )


@task(
    auto_shortflags=False,
    iterable=["charts"],
    help=_HELP
    | _CHARTS_HELP
    | _JSON_HELP
    | {
        "sarif": "Output of one SARIF 2.1.0 document on stdout, for code hosts",
        "accepted": "File of accepted findings, else .talos-lifecycle-accepted.yaml of the repo",
        "age-key": "File of the age key that must decrypt every file, in memory",
        "seed-kit": "List of what a rebuild needs, from a clean clone of the repository",
        "online": "Questions to servers: do the Git remotes, charts and images exist?",
    },
)
def validate(
    _context: Context,
    *,
    repo: str = "",
    cluster: str = "",
    json: bool = False,
    sarif: bool = False,
    accepted: str = "",
    age_key: str = "",
    charts: list[str] | None = None,
    seed_kit: bool = False,
    online: bool = False,
) -> None:
    """Find what would break a bootstrap, an upgrade or a rebuild.

    Read from files alone: no cluster is needed, and nothing is written to the repository. A file
    of accepted findings is a YAML list of items with `id` and `reason`, and where wanted `path`
    (a glob), `message` (a part of it) and `until` (the last day on which it counts, 2027-03-31).

    Exit codes: 0 nothing worse than an info is open, 10 a warning is, or a rebuild lacks
    something (--seed-kit), 2 an error is, or the request is wrong.

    Examples:
      invoke validate --repo ~/cluster
      invoke validate --repo ~/cluster --age-key ~/age.agekey --charts ~/charts
      invoke validate --repo ~/cluster --seed-kit
      invoke validate --repo ~/cluster --sarif > findings.sarif
    """
    from lifecycle.cli.validate import validate as judge  # noqa: PLC0415 (start-up)

    finish(
        judge,
        ReadingArguments(
            repo=repo,
            cluster=cluster,
            json=json,
            sarif=sarif,
            accepted=accepted,
            age_key=age_key,
            charts=charts or (),
            seed_kit=seed_kit,
            online=online,
        ),
    )

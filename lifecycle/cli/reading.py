"""What the commands that only read a repository have in common: which one, and which clusters.

They work on any folder: no Git, no tool and no age key are needed, and nothing is written to it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lifecycle.cli.console import Terminal, open_terminal
from lifecycle.cli.guard import run_guarded
from lifecycle.cli.options import Arguments, check_name, read_cluster
from lifecycle.cli.requests import ClusterRequest
from lifecycle.errors import PlanError
from lifecycle.secrets import Redactor

if TYPE_CHECKING:
    from lifecycle.report.values import Json

__all__ = [
    "ReadingArguments",
    "choose_clusters",
    "choose_one",
    "clean_json",
    "read_target",
    "run_reading",
]


@dataclass(frozen=True, slots=True)
class ReadingArguments:
    """The arguments of a task that reads, as Invoke gives them: text, flags, lists, unchecked."""

    repo: str = ""
    cluster: str = ""
    age_key: str = ""
    charts: Sequence[str] = ()
    format: str = ""
    output: str = ""
    accepted: str = ""
    json: bool = False
    sarif: bool = False
    seed_kit: bool = False
    online: bool = False


def run_reading(
    arguments: ReadingArguments,
    environ: Mapping[str, str],
    command: Callable[[Terminal, Redactor], int],
) -> int:
    """Run a command inside the outermost frame; returns the exit code."""
    terminal = open_terminal(environ, is_json=arguments.json or arguments.sarif)
    redactor = Redactor()
    return run_guarded(
        lambda: command(terminal, redactor),
        terminal=terminal,
        redactor=redactor,
        crash_log=lambda: _find_crash_log(environ),
    )


def read_target(
    arguments: ReadingArguments, environ: Mapping[str, str]
) -> tuple[Path, ClusterRequest]:
    """Return the repository's folder, and the request it is part of.

    Raises:
        PlanError: no repository, or a file or folder that is not there.
    """
    repo = arguments.repo or environ.get("TALOS_LIFECYCLE_REPO", "")
    if not repo:
        raise PlanError(
            "cluster repository is missing: `--repo`", hint="add --repo PATH, for example --repo ."
        )
    target = read_cluster(
        Arguments(
            repo=repo,
            cluster=arguments.cluster,
            age_key=arguments.age_key,
            charts=arguments.charts,
        ),
        environ,
    )
    folder = target.repo or Path(repo)
    if not os.access(folder, os.R_OK | os.X_OK):
        raise PlanError(
            f"cluster repository cannot be read: `{folder}`", hint=f"see `ls -ld {folder}`"
        )
    return folder, replace(target, repo=folder)


def choose_clusters(repo: Path, name: str) -> tuple[str, ...]:
    """Return the cluster that is named, or all that there are.

    Raises:
        PlanError: there is none of that name, or none at all.
    """
    from inventory import list_clusters  # noqa: PLC0415 (start-up)

    names = list_clusters(repo)
    if not names:
        raise PlanError(
            f"repository holds no cluster: `{repo}`",
            hint="a cluster is a folder clusters/<name> with a clusterenv.yaml",
        )
    if not name:
        return names
    check_name("cluster", name, names)
    return (name,)


def choose_one(repo: Path, name: str) -> str:
    """Return the cluster that is named, or the only one; raises PlanError as `choose_clusters`."""
    names = choose_clusters(repo, name)
    if len(names) > 1:
        raise PlanError(
            f"repository holds several clusters: `{', '.join(names)}`",
            hint=f"choose one, for example --cluster {names[0]}",
        )
    return names[0]


def clean_json(value: Json) -> Json:
    """Return a value that UTF-8 can carry: file names may hold any byte."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {str(clean_json(key)): clean_json(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [clean_json(item) for item in value]
    return value


def _find_crash_log(environ: Mapping[str, str]) -> Path:
    from lifecycle.store.paths import find_state_home  # noqa: PLC0415 (start-up)

    return find_state_home(environ) / "crash.log"

"""Configuration, read once: arguments first, then environment variables, then defaults."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from lifecycle.cli.requests import ClusterRequest, LabRequest, RunRequest, Settings
from lifecycle.errors import PlanError

__all__ = [
    "VARIABLES",
    "Arguments",
    "Variable",
    "check_name",
    "read_cluster",
    "read_run",
    "read_settings",
]

_PREFIX = "TALOS_LIFECYCLE_"


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable that is heeded; `help` starts with a noun."""

    name: str
    help: str


VARIABLES = (
    Variable("TALOS_LIFECYCLE_REPO", "Path of the cluster repository, when `--repo` is not given"),
    Variable("TALOS_LIFECYCLE_CLUSTER", "Name of the cluster, when `--cluster` is not given"),
    Variable("TALOS_LIFECYCLE_STATE", "Folder of journals, locks and logs, instead of XDG's"),
    Variable("TALOS_LIFECYCLE_CHARTS", "Chart cache folders, separated by `:`, after `--charts`"),
    Variable("SOPS_AGE_KEY_FILE", "File of the age key, when `--age-key` is not given"),
    Variable("SOPS_AGE_KEY", "Age key itself, when no file is named"),
    Variable("XDG_STATE_HOME", "Folder that holds `talos-lifecycle` with all state"),
    Variable("XDG_CACHE_HOME", "Folder that holds `talos-lifecycle` with fetched files"),
    Variable("XDG_CONFIG_HOME", "Folder that holds `sops/age/keys.txt`, the last place of a key"),
    Variable("XDG_RUNTIME_DIR", "Folder in memory for what must not reach a disk; else /dev/shm"),
    Variable(
        "KUBEBUILDER_ASSETS",
        "Folder with a real kube-apiserver and etcd, which a lab that starts then runs",
    ),
    Variable("NO_COLOR", "Any value: no colours"),
    Variable("COLUMNS", "Width of tables when the output is no terminal"),
)


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of a task as Invoke gives them: text, flags and lists, unchecked."""

    repo: str = ""
    cluster: str = ""
    is_lab: bool = False
    speed: str = ""
    age_key: str = ""
    charts: Sequence[str] = ()
    faults: Sequence[str] = ()
    fault_files: Sequence[str] = ()
    fault_seed: str = ""
    cleared: Sequence[str] = ()
    is_known_shown: bool = False
    accept: Sequence[str] = ()
    consent_disk: Sequence[str] = ()
    yes: bool = False
    json: bool = False
    verbose: bool = False


def read_settings(arguments: Arguments, environ: Mapping[str, str]) -> Settings:
    """Return what is the same for every command.

    Raises:
        PlanError: a variable with our prefix that nobody knows.
    """
    from lifecycle.store.paths import find_cache_home, find_state_home  # noqa: PLC0415 (start-up)

    known = [variable.name for variable in VARIABLES]
    for name in environ:
        if name.startswith(_PREFIX):
            check_name("environment variable", name, known)
    return Settings(
        state_home=find_state_home(environ),
        cache_home=find_cache_home(environ),
        command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        is_json=arguments.json,
        is_verbose=arguments.verbose,
    )


def read_cluster(arguments: Arguments, environ: Mapping[str, str]) -> ClusterRequest:
    """Return which cluster is meant.

    Raises:
        PlanError: no repository on real machines, or a file or folder that is not there.
    """
    repo = arguments.repo or environ.get("TALOS_LIFECYCLE_REPO", "")
    if not repo and not arguments.is_lab:
        raise PlanError(
            "cluster repository is missing: `--repo`",
            hint="add --repo PATH, or --lab for a rehearsal with the sample repository",
        )
    if arguments.speed and not arguments.is_lab:
        raise PlanError(
            f"speed is for the lab only: `{arguments.speed}`", hint="add --lab, or leave it out"
        )
    asked = [*arguments.faults, *arguments.fault_files, *filter(None, [arguments.fault_seed])]
    if asked and not arguments.is_lab:
        raise PlanError(
            f"fault is for the lab only: `{asked[0]}`", hint="add --lab, or leave it out"
        )
    key = arguments.age_key or environ.get("SOPS_AGE_KEY_FILE", "")
    folders = [*arguments.charts, *environ.get("TALOS_LIFECYCLE_CHARTS", "").split(":")]
    return ClusterRequest(
        repo=_find_folder("cluster repository", repo) if repo else None,
        cluster=arguments.cluster or environ.get("TALOS_LIFECYCLE_CLUSTER", ""),
        lab=_read_lab(arguments, environ) if arguments.is_lab else None,
        age_key_file=_find_file("age key", key) if key else None,
        charts=tuple(_find_folder("chart cache", folder) for folder in folders if folder),
    )


def read_run(arguments: Arguments, environ: Mapping[str, str]) -> RunRequest:
    """Return a run as the user asked for it; raises as `read_cluster` and `read_settings`."""
    return RunRequest(
        settings=read_settings(arguments, environ),
        target=read_cluster(arguments, environ),
        is_confirmed=arguments.yes,
        accepted=frozenset(arguments.accept),
        consented_disks=frozenset(arguments.consent_disk),
    )


def check_name(what: str, name: str, known: Iterable[str]) -> None:
    """Refuse a name that is not known, with the nearest one that is.

    Raises:
        PlanError: `name` is not in `known`.
    """
    names = sorted(known)
    if name in names:
        return
    near = get_close_matches(name, names, n=1)
    listed = ", ".join(names) or "none"
    raise PlanError(
        f"{what} is unknown: `{name}`",
        hint=f"did you mean `{near[0]}`?" if near else f"there are: {listed}",
    )


def _read_lab(arguments: Arguments, environ: Mapping[str, str]) -> LabRequest:
    assets = environ.get("KUBEBUILDER_ASSETS", "")
    return LabRequest(
        _parse_speed(arguments.speed),
        tuple(arguments.faults),
        tuple(_find_file("file of faults", path) for path in arguments.fault_files),
        _parse_seed(arguments.fault_seed),
        _find_folder("KUBEBUILDER_ASSETS", assets) if assets else None,
    )


def _find_folder(what: str, path: str) -> Path:
    folder = Path(path).expanduser().absolute()
    if not folder.is_dir():
        raise PlanError(f"{what} is not a folder: `{path}`", hint=f"see `ls -ld {path}`")
    return folder


def _find_file(what: str, path: str) -> Path:
    file = Path(path).expanduser().absolute()
    if not file.is_file():
        raise PlanError(f"{what} is not a file: `{path}`", hint=f"see `ls -l {path}`")
    return file


def _parse_speed(text: str) -> float | None:
    if not text:
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise PlanError(f"speed is not a positive number: `{text}`", hint="for example --speed 20")
    return speed


def _parse_seed(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise PlanError(f"seed is not a whole number: `{text}`", hint="for example --fault-seed 7")
    return int(text)

"""Arguments and environment variables become frozen requests, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifecycle.cli.options import VARIABLES, Arguments, read_cluster, read_run
from lifecycle.cli.place import find_state
from lifecycle.cli.requests import Settings
from lifecycle.errors import PlanError


def settings(home: Path) -> Settings:
    """Build settings whose state lies in `home`."""
    return Settings(home, home, "invoke bootstrap")


def test_arguments_win_over_variables(repo: Path) -> None:
    """An argument is stronger than its environment variable."""
    environ = {"TALOS_LIFECYCLE_REPO": "/elsewhere", "TALOS_LIFECYCLE_CLUSTER": "office"}
    target = read_cluster(Arguments(repo=str(repo), cluster="home"), environ)

    assert (repo, "home") == (target.repo, target.cluster)


def test_variables_are_heeded(repo: Path, tmp_path: Path) -> None:
    """Each documented variable stands in for its argument."""
    key = tmp_path / "age.agekey"
    key.touch()
    environ = {
        "TALOS_LIFECYCLE_REPO": str(repo),
        "TALOS_LIFECYCLE_CLUSTER": "home",
        "TALOS_LIFECYCLE_CHARTS": f"{repo}:{tmp_path}",
        "SOPS_AGE_KEY_FILE": str(key),
        "TALOS_LIFECYCLE_STATE": str(tmp_path / "state"),
    }
    request = read_run(Arguments(), environ)

    assert (repo, "home", key, (repo, tmp_path)) == (
        request.target.repo,
        request.target.cluster,
        request.target.age_key_file,
        request.target.charts,
    )
    assert tmp_path / "state" == request.settings.state_home


def test_unknown_variable_of_ours_is_an_error(repo: Path) -> None:
    """A mistyped variable is not silently ignored."""
    with pytest.raises(PlanError) as caught:
        read_run(Arguments(repo=str(repo)), {"TALOS_LIFECYCLE_STAT": "/s"})

    assert "environment variable is unknown: `TALOS_LIFECYCLE_STAT`" == caught.value.message
    assert "did you mean `TALOS_LIFECYCLE_STATE`?" == caught.value.hint


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (Arguments(), "cluster repository is missing: `--repo`"),
        (Arguments(repo="/nope"), "cluster repository is not a folder: `/nope`"),
        (Arguments(is_lab=True, age_key="/nope"), "age key is not a file: `/nope`"),
        (Arguments(is_lab=True, charts=["/nope"]), "chart cache is not a folder: `/nope`"),
        (Arguments(is_lab=True, speed="fast"), "speed is not a positive number: `fast`"),
        (Arguments(is_lab=True, speed="nan"), "speed is not a positive number: `nan`"),
        (Arguments(repo="/", speed="20"), "speed is for the lab only: `20`"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_senseless_arguments_are_refused(arguments: Arguments, message: str) -> None:
    """Each wrong argument is an error that names it."""
    with pytest.raises(PlanError) as caught:
        read_run(arguments, {})

    assert message == caught.value.message
    assert caught.value.hint


def test_only_cluster_needs_no_name(repo: Path, tmp_path: Path) -> None:
    """A repository with one cluster is enough to know which is meant."""
    target = read_cluster(Arguments(repo=str(repo)), {})

    assert find_state(settings(tmp_path), target).folder.name.startswith("home-")


def test_mistyped_cluster_is_corrected(repo: Path, tmp_path: Path) -> None:
    """An unknown cluster names the nearest one."""
    target = read_cluster(Arguments(repo=str(repo), cluster="hme"), {})
    with pytest.raises(PlanError) as caught:
        find_state(settings(tmp_path), target)

    assert "did you mean `home`?" == caught.value.hint


def test_rehearsal_never_shares_state_with_the_cluster(repo: Path, tmp_path: Path) -> None:
    """The lab's state has a root of its own, also for the same repository and cluster."""
    real = find_state(settings(tmp_path), read_cluster(Arguments(repo=str(repo)), {}))
    lab = find_state(settings(tmp_path), read_cluster(Arguments(repo=str(repo), is_lab=True), {}))
    sample = find_state(settings(tmp_path), read_cluster(Arguments(is_lab=True), {}))

    assert (tmp_path, tmp_path / "lab") == (real.folder.parent, lab.folder.parent)
    assert tmp_path / "lab" / "sample" == sample.folder


def test_each_variable_is_documented() -> None:
    """The help of a variable starts with a noun and ends without a period."""
    assert not [variable.name for variable in VARIABLES if variable.help.endswith(".")]

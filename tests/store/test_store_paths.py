"""Where state lives."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lifecycle.store import (
    ClusterState,
    find_cache_home,
    find_newest_state,
    find_state_home,
    identify_repository,
    make_cluster_key,
)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HOME": "/home/ann"}, "/home/ann/.local/state/talos-lifecycle"),
        ({"HOME": "/home/ann", "XDG_STATE_HOME": "/var/s"}, "/var/s/talos-lifecycle"),
        (
            {"HOME": "/home/ann", "XDG_STATE_HOME": "relative"},
            "/home/ann/.local/state/talos-lifecycle",
        ),
        ({"HOME": "/home/ann", "TALOS_LIFECYCLE_STATE": "/srv/state"}, "/srv/state"),
    ],
    ids=["default", "xdg", "relative xdg is ignored", "own variable"],
)
def test_state_home_follows_xdg(environ: dict[str, str], expected: str) -> None:
    """The state directory is where the XDG specification says, unless told otherwise."""
    assert Path(expected) == find_state_home(environ)


def test_cache_home_follows_xdg() -> None:
    """What can be fetched again lies in the cache directory."""
    assert Path("/c/talos-lifecycle") == find_cache_home({"XDG_CACHE_HOME": "/c"})


def test_folders_are_private(tmp_path: Path) -> None:
    """State folders are their owner's alone, also when they were not before."""
    state = ClusterState(tmp_path / "home-1")
    state.folder.mkdir(mode=0o755)
    state.create()

    assert [0o700, 0o700] == [path.stat().st_mode & 0o777 for path in (state.folder, state.runs)]


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/ann/cluster.git",
        "https://token@github.com/ann/cluster",
        "git@github.com:ann/cluster.git",
        "ssh://git@github.com/ann/cluster.git/",
    ],
)
def test_one_repository_has_one_identity(tmp_path: Path, url: str) -> None:
    """Protocol, user and token of the remote do not make it another repository."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text(
        f'[core]\n\tbare = false\n[remote "origin"]\n\turl = {url}\n\tfetch = x\n[branch "main"]\n'
    )

    assert "github.com/ann/cluster" == identify_repository(tmp_path)


def test_work_tree_has_its_repository_s_identity(tmp_path: Path) -> None:
    """A linked work tree is the same repository."""
    git = tmp_path / "main" / ".git"
    (git / "worktrees" / "other").mkdir(parents=True)
    (git / "worktrees" / "other" / "commondir").write_text("../..\n")
    (git / "config").write_text('[remote "origin"]\n url = https://example.org/a/b\n')
    other = tmp_path / "other"
    other.mkdir()
    (other / ".git").write_text(f"gitdir: {git / 'worktrees' / 'other'}\n")

    assert "example.org/a/b" == identify_repository(other)


def test_repository_without_remote_is_its_path(tmp_path: Path) -> None:
    """Where there is no remote, the path tells repositories apart."""
    assert str(tmp_path.resolve()) == identify_repository(tmp_path)


def test_cluster_key_tells_repositories_apart() -> None:
    """Two clusters of one name in two repositories have two folders."""
    keys = {make_cluster_key("home", identity) for identity in ("a", "b")}

    assert 2 == len(keys)
    assert {"home"} == {key.rpartition("-")[0] for key in keys}


def test_newest_state_includes_rehearsals(tmp_path: Path) -> None:
    """Without a cluster named, status shows the run that wrote last, in the lab or not."""
    for age, name in ((10, "real-1"), (5, "lab/sample-1")):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "journal.db").touch()
        os.utime(folder / "journal.db", (1000 - age, 1000 - age))

    newest = find_newest_state(tmp_path)

    assert newest == ClusterState(tmp_path / "lab" / "sample-1")

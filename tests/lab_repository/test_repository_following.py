"""A standing lab takes what its user commits, and knows when it works on an old copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lab.following import Follower
from lab.repository import MaterializedRepository, find_sample, materialize
from lab.tools import LabTools

_AUTHOR = ("-c", "user.name=somebody", "-c", "user.email=somebody@lab.example")


@pytest.fixture
def own(sample: MaterializedRepository, tmp_path: Path) -> Path:
    """A Git repository of somebody's own."""
    return Path(shutil.copytree(sample.path, tmp_path / "own"))


def commit(own: Path, *, branch: str = "main") -> str:
    """Change something and commit it."""
    tools = LabTools()
    tools.run("git", "checkout", "--quiet", "-B", branch, cwd=own)
    (own / "clusters" / "main" / "note.txt").write_text(branch)
    tools.run("git", "add", "--all", cwd=own)
    tools.run("git", *_AUTHOR, "commit", "--quiet", "--message", "change", cwd=own)
    return tools.run("git", "rev-parse", "HEAD", cwd=own).strip()


async def test_commit_comes_into_the_remote(own: Path, tmp_path: Path) -> None:
    """As if it had been pushed; a branch that was begun since comes along."""
    made = materialize(own, tmp_path / "lab", LabTools())
    follower = Follower(own, made, LabTools())
    first = commit(own)
    is_old = await follower.follow()
    second = commit(own, branch="try")
    await follower.follow()

    refs = LabTools().run("git", "show-ref", cwd=made.remote)
    assert not is_old
    assert f"{first} refs/heads/main" in refs
    assert f"{second} refs/heads/try" in refs


async def test_copy_stays_and_is_told_to_be_old(tmp_path: Path) -> None:
    """A plain tree is copied once; an edit of the original shows."""
    tree = Path(shutil.copytree(find_sample(), tmp_path / "tree"))
    follower = Follower(tree, materialize(tree, tmp_path / "lab", LabTools()), LabTools())
    before = await follower.follow()
    (tree / "clusters" / "main" / "kubernetes" / "apps" / "more.yaml").write_text("a: b\n")

    assert (False, True) == (before, await follower.follow())


async def test_tree_that_is_gone_is_an_error_with_its_name(own: Path, tmp_path: Path) -> None:
    """Nothing but words: the lab stands on."""
    follower = Follower(own, materialize(own, tmp_path / "lab", LabTools()), LabTools())
    shutil.rmtree(own / ".git")

    with pytest.raises(ValueError, match="cannot follow") as caught:
        await follower.follow()

    assert [f"hint: see git -C {own} status"] == caught.value.__notes__


async def test_work_tree_on_no_branch_is_refused(own: Path, tmp_path: Path) -> None:
    """Flux follows a branch; both the lab that begins and the one that stands say so."""
    follower = Follower(own, materialize(own, tmp_path / "lab", LabTools()), LabTools())
    LabTools().run("git", "checkout", "--quiet", "--detach", cwd=own)

    with pytest.raises(ValueError, match="no branch is checked out") as begun:
        materialize(own, tmp_path / "other", LabTools())
    with pytest.raises(ValueError, match="no branch is checked out") as standing:
        await follower.follow()

    hint = [f"hint: check one out: git -C {own} switch NAME"]
    assert [hint, hint] == [begun.value.__notes__, standing.value.__notes__]

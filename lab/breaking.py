"""Breaks a materialized repository as faults ask for it: always a private copy, never the user's.

A repository that the lab made is private already; of one that only was mirrored, the mirror is
cloned first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from inventory import read_repository
from lab.faults import FaultError, RepositoryFault
from lab.faults.repository import DoesNotApplyError, Tree
from lab.repository import AUTHOR, MaterializedRepository
from lab.tools import LabTools

__all__ = ["break_repository", "damage", "own_copy"]


def own_copy(made: MaterializedRepository, into: Path, tools: LabTools) -> MaterializedRepository:
    """Return the same repository with a work tree that lies below the lab's folder."""
    if made.path.is_relative_to(into):
        return made
    path = into / "repository"
    tools.run(
        *("git", "clone", "--quiet", "--branch", made.branch, str(made.remote), str(path)),
        cwd=into,
    )
    tools.run("git", "remote", "set-url", "origin", made.url, cwd=path)
    return replace(made, path=path)


def break_repository(
    made: MaterializedRepository,
    cluster: str,
    faults: Sequence[RepositoryFault],
    tools: LabTools,
    decrypted: Mapping[str, str],
) -> MaterializedRepository:
    """Carry out faults in a private copy, then commit and push, as somebody did by mistake.

    Raises:
        FaultError: the repository has nothing that a fault could strike.
    """
    for fault in faults:
        try:
            damage(made.path, cluster, fault, tools, decrypted)
        except DoesNotApplyError as error:
            raise FaultError(
                f"fault does not apply to this repository: `{fault.name}`: {error}",
                hint=f"leave out --fault {fault.name}",
            ) from error
    git = tools.with_env(AUTHOR)
    names = ", ".join(fault.name for fault in faults)
    git.run("git", "add", "--all", "--force", cwd=made.path)
    git.run("git", "commit", "--quiet", "-m", f"Break it: {names}", cwd=made.path)
    git.run("git", "push", "--quiet", "origin", f"HEAD:{made.branch}", cwd=made.path)
    commit = git.run("git", "rev-parse", "HEAD", cwd=made.path).strip()
    return replace(made, commit=commit)


def damage(
    root: Path, cluster: str, fault: RepositoryFault, tools: LabTools, decrypted: Mapping[str, str]
) -> tuple[str, ...]:
    """Carry out one fault below `root`; returns the paths of the files that it touched.

    Raises:
        DoesNotApplyError: there is nothing that it could strike.
    """
    tree = Tree(root, read_repository(root, cluster, decrypted), tools)
    fault.damage(tree)
    return tuple(tree.changed)

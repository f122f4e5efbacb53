"""The seed kit, from a clean clone: what nobody committed does not count."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from inventory import list_clusters, read_repository
from inventory.seed_kit import Item, Place, list_seed_kit
from lifecycle.drivers.git import Git
from lifecycle.drivers.private import PrivateFolder
from lifecycle.drivers.process import Environment, ProcessRunner
from lifecycle.drivers.tools import find_tools
from lifecycle.errors import CommandFailedError, InventoryError
from lifecycle.secrets import Redactor
from lifecycle.store import find_cache_home

__all__ = ["read_seed_kits"]

_SHOWN = 5


async def read_seed_kits(
    repo: Path, names: Iterable[str], environ: Mapping[str, str]
) -> Mapping[str, tuple[Item, ...]]:
    """Return what a rebuild of each cluster needs; the clone is removed again.

    Raises:
        InventoryError: the folder is no Git repository with a commit.
        ToolMissingError: git is missing.
    """
    cache = find_cache_home(environ)
    runner = ProcessRunner(Environment.from_variables(environ), redactor=Redactor())
    path = environ.get("PATH", os.defpath)
    tools = await find_tools(("git",), runner, path=path, cache=cache / "tools")
    git = Git(tools.program("git"), runner, repo)
    private = PrivateFolder.create(environ, cache / "work")
    try:
        clone = await _clone(git, repo, private.path / "clone")
        known = list_clusters(clone)
        uncommitted = _describe_changes(await git.changes())
        return {
            name: (*uncommitted, *list_seed_kit(clone, read_repository(clone, name)))
            if name in known
            else (Item("cluster", Place.MISSING, "its folder is not committed"),)
            for name in names
        }
    finally:
        private.close()


async def _clone(git: Git, repo: Path, destination: Path) -> Path:
    try:
        return await git.copy(destination)
    except CommandFailedError as error:
        raise InventoryError(
            f"seed kit needs a Git repository with a commit: `{repo}`",
            hint="name the checkout that Flux reads with --repo, or leave out --seed-kit",
        ) from error


def _describe_changes(paths: tuple[str, ...]) -> tuple[Item, ...]:
    if not paths:
        return ()
    shown = ", ".join(paths[:_SHOWN]) + (" ..." if len(paths) > _SHOWN else "")
    reason = f"a rebuild does not get what is not committed: {shown}"
    return (Item(f"{len(paths)} changed files", Place.OUTSIDE, reason),)

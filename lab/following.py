"""Keeps a standing lab's Git remote at what its user has committed since."""

from __future__ import annotations

import asyncio
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from lab.repository import MaterializedRepository, find_branch
from lab.tools import LabTools, ToolFailedError

__all__ = ["Follower"]


@dataclass(slots=True)
class Follower:
    """Looks at the tree that a lab was made from, each time that a run begins.

    What is rehearsed in place, a Git work tree, is followed: its commits come into the lab's
    remote as if they were pushed. What was copied, a plain tree or one that a fault broke, stays
    as it was copied; whoever edits the original since is told so.
    """

    source: Path
    made: MaterializedRepository
    tools: LabTools
    _copied: str = field(init=False, default="")

    def __post_init__(self) -> None:
        if not self._is_in_place:
            self._copied = _digest(self.source)

    @property
    def _is_in_place(self) -> bool:
        return self.made.path == self.source

    async def follow(self) -> bool:
        """Bring the remote up to date; returns whether the lab works on an old copy.

        Raises:
            ValueError: it is no Git work tree any more, or is on no branch; a note holds the hint.
        """
        if not self._is_in_place:
            return await asyncio.to_thread(_digest, self.source) != self._copied
        await asyncio.to_thread(self._fetch)
        return False

    def _fetch(self) -> None:
        try:
            branch = find_branch(self.source, self.tools)
            self.tools.run(
                *("git", "fetch", "--quiet", str(self.source.resolve())),
                f"+HEAD:refs/heads/{branch}",
                cwd=self.made.remote,
            )
        except ToolFailedError as failed:
            lost = ValueError(f"cannot follow `{self.source}`: {failed.stderr}")
            lost.add_note(f"hint: see git -C {self.source} status")
            raise lost from failed


def _digest(tree: Path) -> str:
    """Return what tells a tree from an edited one: names, sizes and times of its files."""
    seen = hashlib.sha256()
    for folder, folders, names in os.walk(tree):
        folders[:] = sorted(name for name in folders if name not in {".git", "__pycache__"})
        for name in sorted(names):
            path = Path(folder, name)
            found = path.lstat()
            seen.update(
                f"{path}\0{found.st_size}\0{found.st_mtime_ns}\0".encode("utf-8", "replace")
            )
    return seen.hexdigest()

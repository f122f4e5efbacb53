"""Git: what the cluster repository holds, whether its remote has it, and private copies of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lifecycle.drivers.credentials import GitAccess
from lifecycle.drivers.process import Runner
from lifecycle.errors import CommandFailedError

__all__ = ["Git"]

_LOCAL_TIMEOUT_S = 60.0
_REMOTE_TIMEOUT_S = 60.0
# A run must fail rather than wait for a password that nobody types.
_QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "SSH_ASKPASS_REQUIRE": "never",
    "LC_ALL": "C",
    "GIT_OPTIONAL_LOCKS": "0",  # `status` would refresh the index: nothing of the user is written
}


@dataclass(frozen=True, slots=True)
class Git:
    """git on one repository; methods raise `CommandFailedError` when it is none."""

    program: str
    runner: Runner
    repository: Path

    async def head(self) -> str:
        """Return the commit that is checked out, 40 hex digits."""
        return await self._text("rev-parse", "--verify", "HEAD^{commit}")

    async def branch(self) -> str:
        """Return the branch that is checked out, empty for a detached HEAD."""
        return await self._text("branch", "--show-current")

    async def changes(self) -> tuple[str, ...]:
        """Return the paths that differ from HEAD or are untracked and not ignored."""
        text = await self._text(
            "status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=normal"
        )
        return tuple(entry[3:] for entry in text.split("\0") if entry)

    async def tracked_files(self) -> tuple[str, ...]:
        """Return all tracked paths, relative to the repository's root."""
        text = await self._text("ls-files", "-z", "--full-name", ":/")
        return tuple(entry for entry in text.split("\0") if entry)

    async def remote_url(self, name: str = "origin") -> str:
        """Return a remote's URL as configured, empty when there is no such remote."""
        completed = await self.runner.run(
            self._argv(["config", "--get", f"remote.{name}.url"]),
            timeout_s=_LOCAL_TIMEOUT_S,
            env=_QUIET,
            check=False,
        )
        return completed.stdout.decode().strip()

    async def remote_commit(self, url: str, branch: str, access: GitAccess | None = None) -> str:
        """Ask a remote, over the network, for the head of a branch; empty when it has none.

        Without `access`, as the user of this machine would ask.

        Raises:
            CommandFailedError: The remote cannot be reached or refuses.
            CommandTimedOutError: It does not answer.
        """
        access = access or GitAccess()
        argv = [*access.options, "ls-remote", "--heads", "--", url, f"refs/heads/{branch}"]
        completed = await self.runner.run(
            self._argv(argv),
            timeout_s=_REMOTE_TIMEOUT_S,
            env={**_QUIET, **access.env},
            proxied=True,
        )
        return completed.stdout.decode().partition("\t")[0].strip()

    async def is_ancestor(self, commit: str, descendant: str) -> bool:
        """Tell whether `commit` is in the history of `descendant`, as far as is known here."""
        try:
            await self._text("merge-base", "--is-ancestor", commit, descendant)
        except CommandFailedError:
            return False
        return True

    async def read(self, path: str, *, commit: str = "HEAD") -> bytes:
        """Return a tracked file's content at a commit."""
        argv = self._argv(["cat-file", "blob", f"{commit}:{path}"])
        return (await self.runner.run(argv, timeout_s=_LOCAL_TIMEOUT_S)).stdout

    async def copy(self, destination: Path, *, commit: str = "HEAD") -> Path:
        """Make a private clone at a commit; the repository itself is only read.

        `destination` must not exist; its parent decides who may look inside.
        """
        sha = await self._text("rev-parse", "--verify", f"{commit}^{{commit}}")
        source = str(self.repository)
        clone = ["clone", "--quiet", "--no-checkout", "--no-hardlinks", source, str(destination)]
        await self._run([self.program, *clone])
        checkout = ["checkout", "--quiet", "--detach", sha]
        await self._run([self.program, "-C", str(destination), *checkout])
        return destination

    async def _text(self, *words: str) -> str:
        return (await self._run(self._argv(words))).decode().rstrip("\n")

    async def _run(self, argv: Sequence[str]) -> bytes:
        completed = await self.runner.run(argv, timeout_s=_LOCAL_TIMEOUT_S, env=_QUIET)
        return completed.stdout

    def _argv(self, words: Sequence[str]) -> list[str]:
        return [self.program, "-C", str(self.repository), *words]

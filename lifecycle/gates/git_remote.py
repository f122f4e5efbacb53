"""Gate: Flux will read what this run reads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from inventory import Source
from lifecycle.drivers.documents import text_at
from lifecycle.engine import Answer, Blocked, Satisfied
from lifecycle.errors import CommandFailedError, CommandTimedOutError
from lifecycle.world import World

__all__ = ["CommitIsPushed"]

_SHOWN = 5
# What ssh and git say when the host was reached, and the credential did not do.
_HOST_KEY = re.compile(r"Host key verification failed|host key is known for|IDENTIFICATION HAS CH")
_CREDENTIAL = re.compile(
    r"Permission denied \(|Authentication failed|Invalid format|error in libcrypto"
    r"|could not read (Username|Password)|returned error: 40[13]|repository not found",
    re.IGNORECASE,
)


def _first_line(error: CommandFailedError | CommandTimedOutError) -> str:
    """Return what git said first; ssh's advice follows it."""
    if isinstance(error, CommandTimedOutError):
        return error.message
    lines = [line for line in error.stderr_tail.splitlines() if line.strip()]
    return lines[0] if lines else error.message


@dataclass(frozen=True, slots=True)
class CommitIsPushed:
    """The work tree is clean and its commit is the head of the branch that Flux follows.

    The remote is asked with the credential of Flux, the deploy key in the repository: one that
    the host refuses, or a host that its `known_hosts` does not know, shows here. Where the
    repository holds none, or the host cannot be reached without the user's own settings of ssh,
    the user's own access is used.
    """

    world: World
    after: tuple[str, ...] = ()
    name: str = "commit-is-pushed"
    title: str = "Check that the commit is pushed"

    async def probe(self) -> Answer:
        """Ask Git here, then the remote."""
        changes = await self.world.git.changes()
        if changes:
            shown = ", ".join(changes[:_SHOWN])
            more = f" and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
            return Blocked(
                f"work tree has changes that Flux would not see: {shown}{more}",
                "commit and push them, or put them away with git stash -u",
            )
        sources = self._sources()
        for source in sources:
            answer = await self._ask(source)
            if answer is not None:
                return answer
        commit = self.world.repository.commit
        return Satisfied(f"{commit[:7]} is what {sources[0].name if sources else 'HEAD'} follows")

    async def _ask(self, source: Source) -> Answer | None:
        """Return what is wrong with a source's remote; None when nothing is."""
        commit = self.world.repository.commit
        wanted = text_at(source.ref, "commit")
        if wanted and wanted != commit:
            return Blocked(
                f"{source.position}: source is pinned to another commit: `{wanted}`",
                f"check that commit out (git checkout {wanted}), or change the pin",
            )
        branch = text_at(source.ref, "branch") or "master"  # Flux' own default
        pushed = await self._look(source, branch)
        if isinstance(pushed, Blocked):
            return pushed
        if pushed == commit or wanted:
            return None
        has = f"is at {pushed[:7]}" if pushed else "does not exist"
        return Blocked(
            f"branch `{branch}` of source `{source.name}` ({source.position}) {has}, "
            f"not at this commit {commit[:7]}",
            "push it (git push), or check out what is pushed (git pull)",
        )

    async def _look(self, source: Source, branch: str) -> str | Blocked:
        """Return the head of the branch, or why it cannot be had."""
        access = await self.world.credentials.git(source)
        if access is not None:
            try:
                return await self.world.git.remote_commit(source.url, branch, access)
            except (CommandFailedError, CommandTimedOutError) as error:
                refused = self._judge(source, error)
                if refused is not None:
                    return refused
        try:
            return await self.world.git.remote_commit(source.url, branch)
        except (CommandFailedError, CommandTimedOutError) as error:
            return Blocked(
                f"{source.position}: Git remote of source `{source.name}` does not answer: "
                f"{_first_line(error)}",
                f"check its URL and your access: git ls-remote {source.url}",
            )

    def _judge(
        self, source: Source, error: CommandFailedError | CommandTimedOutError
    ) -> Blocked | None:
        """Tell what Flux's own credential lacks; None when something else went wrong."""
        said = error.stderr_tail if isinstance(error, CommandFailedError) else ""
        secret = self.world.credentials.find_secret(source)
        place = secret.position if secret is not None else source.position
        name = f"{source.namespace}/{source.secret}"
        host = urlsplit(source.url)
        if _HOST_KEY.search(said):
            port = f"-p {host.port} " if host.port else ""
            return Blocked(
                f"{place}: known_hosts of Secret `{name}` does not hold the key of "
                f"{host.hostname}, so Flux could not read source `{source.name}`: "
                f"{_first_line(error)}",
                f"put there what the host says, once compared: ssh-keyscan {port}{host.hostname}",
            )
        if not _CREDENTIAL.search(said):
            return None
        repair = "add the key of its identity.pub to the deploy keys of the repository at its host"
        return Blocked(
            f"{place}: {host.hostname} refuses the credential of Secret `{name}`, "
            f"so Flux could not read source `{source.name}`: {_first_line(error)}",
            repair if host.scheme == "ssh" else "renew the token at the host, and put it there",
        )

    def _sources(self) -> list[Source]:
        """Return the Git sources through which the entries read this repository."""
        keys = {entry.source for entry in self.world.inventory.entries}
        found = [s for s in self.world.inventory.sources if s.key in keys]
        return [s for s in found if s.kind == "GitRepository"]

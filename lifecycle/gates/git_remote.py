"""Gate: Flux will read what this run reads."""

from __future__ import annotations

from dataclasses import dataclass

from inventory import Source
from lifecycle.drivers.documents import text_at
from lifecycle.engine import Answer, Blocked, Satisfied
from lifecycle.errors import CommandFailedError, CommandTimedOutError
from lifecycle.world import World

__all__ = ["CommitIsPushed"]

_SHOWN = 5


def _last_line(error: CommandFailedError | CommandTimedOutError) -> str:
    """Return what git said first; ssh's advice follows it."""
    if isinstance(error, CommandTimedOutError):
        return error.message
    lines = [line for line in error.stderr_tail.splitlines() if line.strip()]
    return lines[0] if lines else error.message


@dataclass(frozen=True, slots=True)
class CommitIsPushed:
    """The work tree is clean and its commit is the head of the branch that Flux follows."""

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
        try:
            pushed = await self.world.git.remote_commit(source.url, branch)
        except (CommandFailedError, CommandTimedOutError) as error:
            return Blocked(
                f"{source.position}: Git remote of source `{source.name}` does not answer: "
                f"{_last_line(error)}",
                f"check its URL and your access: git ls-remote {source.url}",
            )
        if pushed == commit or wanted:
            return None
        has = f"is at {pushed[:7]}" if pushed else "does not exist"
        return Blocked(
            f"branch `{branch}` of source `{source.name}` ({source.position}) {has}, "
            f"not at this commit {commit[:7]}",
            "push it (git push), or check out what is pushed (git pull)",
        )

    def _sources(self) -> list[Source]:
        """Return the Git sources through which the entries read this repository."""
        keys = {entry.source for entry in self.world.inventory.entries}
        found = [s for s in self.world.inventory.sources if s.key in keys]
        return [s for s in found if s.kind == "GitRepository"]

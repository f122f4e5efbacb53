"""Fetching with real git, from wherever `insteadOf` leads."""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil
import uuid
from pathlib import Path

from lab.flux.packing import pack
from lab.kubernetes.values import Object, text
from lab.tools import LabTools, ToolFailedError

__all__ = ["FetchError", "GitFetcher"]

_COMMIT = re.compile(r"[0-9a-f]{40}")


class FetchError(Exception):
    """The remote cannot be read, or has no such reference; `reason` "" is that of its kind."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class GitFetcher:
    """Keeps one folder a commit; a revision that is already there costs one `ls-remote`."""

    def __init__(self, tools: LabTools, into: Path) -> None:
        self._tools = tools
        self._into = into

    async def fetch(self, source: Object) -> tuple[str, Path]:
        """Fetch what a GitRepository asks for; returns `<branch>@sha1:<commit>` and the folder.

        Raises:
            FetchError: git says no; the text is git's own.
        """
        url, ignore = text(source, "spec", "url"), text(source, "spec", "ignore")
        label, reference, commit = await self._resolve(source, url)
        digest = hashlib.sha256(f"{url} {commit} {ignore}".encode()).hexdigest()[:16]
        folder = self._into / digest
        if not folder.exists():
            await self._check_out(url, reference, folder, ignore)
        return f"{label}@sha1:{commit}", folder

    async def _resolve(self, source: Object, url: str) -> tuple[str, str, str]:
        wanted = {key: text(source, "spec", "ref", key) for key in ("name", "tag", "branch")}
        label = wanted["tag"] or wanted["branch"] or "master"
        reference = f"refs/heads/{label}"
        if wanted["name"]:
            label = reference = wanted["name"]
        elif wanted["tag"]:
            reference = f"refs/tags/{label}"
        pinned = text(source, "spec", "ref", "commit")
        if _COMMIT.fullmatch(pinned):
            return label, pinned, pinned
        try:
            listed = await self._tools.call("git", "ls-remote", "--exit-code", url, reference)
        except ToolFailedError as failed:
            # Exit code 2 of ls-remote means that nothing matched.
            unmatched = failed.returncode == 2  # noqa: PLR2004  documented by git
            reason = "couldn't find remote ref" if unmatched else failed.stderr
            raise FetchError(
                f"failed to checkout and determine revision: unable to clone '{url}': "
                + (f'{reason} "{reference}"' if unmatched else reason)
            ) from failed
        return label, label if wanted["tag"] or wanted["branch"] else reference, listed.split()[0]

    async def _check_out(self, url: str, reference: str, folder: Path, ignore: str) -> None:
        # Cloned beside and renamed, so that a folder that exists is whole.
        new = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}")
        new.parent.mkdir(parents=True, exist_ok=True)
        try:
            if _COMMIT.fullmatch(reference):
                await self._tools.call("git", "clone", "--quiet", url, str(new))
                await self._tools.call("git", "checkout", "--quiet", reference, cwd=new)
            else:
                await self._tools.call(
                    *("git", "clone", "--quiet", "--depth=1", "--single-branch"),
                    *("--branch", reference.removeprefix("refs/heads/"), url, str(new)),
                )
            await asyncio.to_thread(pack, new, ignore)
        except ToolFailedError as failed:
            shutil.rmtree(new, ignore_errors=True)
            raise FetchError(
                f"failed to checkout and determine revision: unable to clone '{url}': "
                f"{failed.stderr}"
            ) from failed
        _publish(new, folder)


def _publish(new: Path, folder: Path) -> None:
    shutil.rmtree(new / ".git")
    if folder.exists():
        shutil.rmtree(new)  # somebody else was faster with the same commit
    else:
        new.rename(folder)

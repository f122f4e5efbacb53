"""What can be asked of servers: do the remotes, charts and images exist that a repository names?

Each question is bounded, all together too. Only URLs with a scheme of the wide world are asked:
a repository's text must never choose a local path or a transport that starts a program. A source
with a credential is asked with it where its Secret could be decrypted, and otherwise not at all.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from inventory import Finding, Inventory, Position, Source
from inventory.objects import get_text
from inventory.rules import make_finding
from lifecycle.cli.online_images import ask_registries
from lifecycle.drivers.credentials import GitAccess, HelmAccess
from lifecycle.drivers.git import Git
from lifecycle.drivers.helm import Helm
from lifecycle.drivers.private import PrivateFolder
from lifecycle.drivers.process import Environment, ProcessRunner
from lifecycle.drivers.tools import find_tools
from lifecycle.errors import CommandFailedError, LifecycleError
from lifecycle.secrets import Redactor
from lifecycle.store import find_cache_home
from lifecycle.world.source_credentials import SourceCredentials

__all__ = ["Online", "check_online"]

_EACH_S: Final = 20.0
_TOTAL_S: Final = 180.0
_AT_ONCE: Final = 6
_GIT_SCHEMES: Final = ("https://", "http://", "ssh://")
_CHART_SCHEMES: Final = ("https://", "http://", "oci://")


@dataclass(frozen=True, slots=True)
class Online:
    """What servers said; `notes` tell what could not be asked."""

    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class _Question:
    kind: str  # git or chart
    url: str
    name: str  # a branch, or a chart
    version: str
    position: Position
    source: Source = field(compare=False)
    cluster: str = field(default="", compare=False)


async def check_online(
    inventories: Sequence[Inventory], environ: Mapping[str, str], overlay: Mapping[str, str]
) -> Online:
    """Ask for each remote, each chart and each image once.

    Raises:
        ToolMissingError: git is missing.
    """
    questions = _collect(inventories)
    runner = ProcessRunner(Environment.from_variables(environ), redactor=Redactor())
    cache = find_cache_home(environ)
    path = environ.get("PATH", os.defpath)
    tools = await find_tools(("git", "helm"), runner, path=path, cache=cache / "tools")
    # Outside any repository, so that no local configuration answers for a remote.
    git = Git(tools.program("git"), runner, Path(os.sep))
    helm = (
        Helm(str(tools.found["helm"].path), runner, cache / "helm")
        if tools.found.get("helm")
        else None
    )
    notes = [] if helm else ["there is no helm: charts were not asked for"]
    images = asyncio.create_task(ask_registries(inventories, overlay))
    private = PrivateFolder.create(environ, cache / "work")
    try:
        credentials = {
            inventory.cluster: SourceCredentials(inventory, private.path / inventory.cluster)
            for inventory in inventories
        }
        asker = _Asker(git, helm, asyncio.Semaphore(_AT_ONCE), credentials)
        tasks = [asyncio.create_task(asker.ask(question)) for question in questions]
        done, late = await asyncio.wait(tasks, timeout=_TOTAL_S) if tasks else (set(), set())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
    finally:
        private.close()
    if late:
        notes.append(f"{len(late)} remotes were not asked: more than {_TOTAL_S:g} s in all")
    notes += _tell_locked(asker.locked)
    findings = [finding for task in done if (finding := task.result()) is not None]
    answers = await images
    return Online((*findings, *answers.findings), (*notes, *answers.notes))


def _tell_locked(locked: Collection[str]) -> list[str]:
    """Say which sources were not asked, for want of the credential that they name."""
    if not locked:
        return []
    names = ", ".join(sorted(locked))
    return [f"not asked, since the Secret that they name cannot be read: {names}"]


@dataclass(frozen=True, slots=True)
class _Asker:
    git: Git
    helm: Helm | None
    limit: asyncio.Semaphore
    credentials: Mapping[str, SourceCredentials]
    locked: set[str] = field(default_factory=set)

    async def ask(self, question: _Question) -> Finding | None:
        """Return what is wrong with a remote; None when it answers, or cannot be asked."""
        async with self.limit:
            try:
                async with asyncio.timeout(_EACH_S):
                    return await self._ask(question)
            except TimeoutError:
                return _unreachable(question, f"no answer in {_EACH_S:g} s")
            except CommandFailedError as error:
                lines = (error.stderr_tail or error.stdout_tail).strip().splitlines()
                return _unreachable(question, lines[-1] if lines else "it refuses")
            except LifecycleError as error:
                return _unreachable(question, error.message)

    async def _ask(self, question: _Question) -> Finding | None:
        if question.kind == "git":
            return await self._ask_git(question)
        if self.helm is not None:
            await self._ask_helm(question, self.helm)
        return None

    async def _ask_git(self, question: _Question) -> Finding | None:
        access = await self.credentials[question.cluster].git(question.source)
        if self._is_locked(question.source, access):
            return None
        if await self.git.remote_commit(question.url, question.name, access):
            return None
        message = f"Git remote has no such branch: `{question.url}`: {question.name}"
        return make_finding("remote-unreachable", message, question.position)

    async def _ask_helm(self, question: _Question, helm: Helm) -> None:
        access = await self.credentials[question.cluster].helm(question.source)
        if not self._is_locked(question.source, access):
            await helm.show(question.url, question.name, question.version, access=access)

    def _is_locked(self, source: Source, access: GitAccess | HelmAccess | None) -> bool:
        is_locked = bool(source.secret) and access is None
        if is_locked:
            self.locked.add(f"{source.kind}/{source.name}")
        return is_locked


def _unreachable(question: _Question, reason: str) -> Finding:
    said = reason.strip().removeprefix("Error: ").removeprefix("fatal: ")
    if question.kind == "git":
        message = f"Git remote cannot be reached: `{question.url}`: {said}"
        return make_finding("remote-unreachable", message, question.position)
    chart = f"{question.name} {question.version}".strip()
    message = f"chart cannot be had: `{chart}` of {question.url}: {said}"
    return make_finding("chart-unreachable", message, question.position)


def _collect(inventories: Iterable[Inventory]) -> list[_Question]:
    """Return each question once, at the first place that leads to it."""
    found: dict[tuple[str, str, str, str], _Question] = {}
    for inventory in inventories:
        sources = {source.key: source for source in inventory.sources}
        for source in inventory.sources:
            if source.kind == "GitRepository" and source.is_used:
                branch = get_text(source.ref, "branch", default="master")
                place = (source.position, source, inventory.cluster)
                _add(found, _Question("git", source.url, branch, "", *place))
        for release in inventory.releases:
            used = sources.get(release.source)
            if used is not None and used.kind in ("HelmRepository", "OCIRepository"):
                url = _chart_url(used)
                place = (release.position, used, inventory.cluster)
                _add(found, _Question("chart", url, release.chart, release.version, *place))
    return sorted(found.values())


def _chart_url(source: Source) -> str:
    # An OCIRepository's URL ends with the chart's name; a HelmRepository's does not.
    return source.url.rpartition("/")[0] if source.kind == "OCIRepository" else source.url


def _add(found: dict[tuple[str, str, str, str], _Question], question: _Question) -> None:
    schemes = _GIT_SCHEMES if question.kind == "git" else _CHART_SCHEMES
    words = (question.url, question.name, question.version)
    # A variable is not known here; a leading dash would be an option.
    is_plain = not any("${" in word or word.startswith("-") for word in words)
    if question.url.startswith(schemes) and question.name and is_plain:
        found.setdefault((question.kind, *words), question)

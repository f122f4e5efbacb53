"""The process door: argument lists in, bytes out, and nothing that outlives its caller.

asyncio's own streams fail on lines past 64 KiB and its `wait` has changed between patch
releases, so this stands on `loop.subprocess_exec` with a protocol of its own: chunks are taken
as they come, and the end of a process is one callback.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lifecycle.drivers._group import ProcessGroup
from lifecycle.errors import CommandFailedError, CommandTimedOutError, ToolMissingError
from lifecycle.secrets import Redactor, Secret

__all__ = ["Completed", "Environment", "Listener", "ProcessRunner", "Runner"]

Listener = Callable[[str, Mapping[str, str | int | float]], None]

_PROXY_NAMES = frozenset({"http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "no_proxy"})
# A tool that falls back to the user's own clusters is the worst surprise of all.
_FOREIGN_NAMES = frozenset({"KUBECONFIG", "TALOSCONFIG"})
_TAIL_LINES = 10
_TAIL_LINE_CHARACTERS = 2000  # kustomize and the API server put whole objects in one line
_CAPTURE_LIMIT_BYTES = 64 * 1024 * 1024  # the largest known: 6 MB of rendered kube-prometheus-stack


@dataclass(frozen=True, slots=True)
class Completed:
    """What a finished command left; `seconds` is wall time. stdout may hold secrets."""

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)
    seconds: float


@dataclass(frozen=True, slots=True)
class Environment:
    """The variables of every child, and apart from them the proxies that few may see.

    talosctl and kubectl obey HTTPS_PROXY even for addresses of the cluster, so only commands
    that go to the internet are given the proxies.
    """

    variables: Mapping[str, str]
    proxies: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_variables(
        cls, environ: Mapping[str, str], extra: Mapping[str, str] | None = None
    ) -> Environment:
        """Split `environ`, drop what names a foreign cluster, and lay `extra` over it."""
        proxies = {name: value for name, value in environ.items() if name.lower() in _PROXY_NAMES}
        variables = {
            name: value
            for name, value in environ.items()
            if name not in proxies and name not in _FOREIGN_NAMES
        }
        return cls(variables | dict(extra or {}), proxies)


class Runner(Protocol):
    """Runs commands; `ProcessRunner` in life, a scripted fake in tests."""

    async def run(
        self,
        argv: Sequence[str],
        *,
        timeout_s: float,
        cwd: Path | None = None,
        env: Mapping[str, str | Secret] | None = None,
        stdin: bytes | Secret = b"",
        check: bool = True,
        proxied: bool = False,
    ) -> Completed:
        """Run `argv` to its end, see `ProcessRunner.run`."""
        ...

    def lines(
        self,
        argv: Sequence[str],
        *,
        timeout_s: float,
        cwd: Path | None = None,
        env: Mapping[str, str | Secret] | None = None,
    ) -> AsyncGenerator[str, None]:
        """Yield the lines of stdout as they come, see `ProcessRunner.lines`."""
        ...

    def failure(self, completed: Completed, *, said: str = "") -> CommandFailedError:
        """Build the redacted error of a command whose exit code hides that it failed."""
        ...


class ProcessRunner:
    """Runs real processes, each in a session of its own, each ended with all its children."""

    def __init__(
        self,
        environment: Environment,
        *,
        redactor: Redactor,
        listener: Listener | None = None,
        grace_s: float = 2.0,
        niceness: int = 0,
        capture_limit: int = _CAPTURE_LIMIT_BYTES,
    ) -> None:
        self._environment = environment
        self._redactor = redactor
        self._listener = listener
        self._grace_s = grace_s
        self._niceness = niceness  # how much the children give way to others, 0 to 19
        self._capture_limit = capture_limit

    async def run(
        self,
        argv: Sequence[str],
        *,
        timeout_s: float,
        cwd: Path | None = None,
        env: Mapping[str, str | Secret] | None = None,
        stdin: bytes | Secret = b"",
        check: bool = True,
        proxied: bool = False,
    ) -> Completed:
        """Run a command to its end and return what it left.

        Args:
            argv: The program and its arguments; never a shell line, never with a secret in it.
            timeout_s: Wall seconds after which the whole process group is ended.
            cwd: Folder to run in; the caller's otherwise.
            env: Variables laid over the runner's environment; secrets among them are redacted
                from then on.
            stdin: What the command reads; nothing otherwise.
            check: Raise when the exit code is not 0.
            proxied: Let the command see the proxy variables: it goes to the internet.

        Raises:
            CommandFailedError: `check` and another exit code than 0, or more output than is kept.
            CommandTimedOutError: It ran too long.
            ToolMissingError: There is no such program.
        """
        variables = self._variables(env or {}, proxied=proxied)
        async with self._started(argv, cwd, variables) as group:
            group.feed(stdin.reveal() if isinstance(stdin, Secret) else stdin)
            with self._told_as_timeout(argv, timeout_s):
                async with asyncio.timeout(timeout_s):
                    await group.finished()
        completed = _completed(argv, group)
        if group.overflowed:
            raise self.failure(completed, said=f"more than {self._capture_limit} bytes of output")
        if check and completed.returncode != 0:
            raise self.failure(completed)
        return completed

    async def lines(
        self,
        argv: Sequence[str],
        *,
        timeout_s: float,
        cwd: Path | None = None,
        env: Mapping[str, str | Secret] | None = None,
    ) -> AsyncGenerator[str, None]:
        """Yield the lines of stdout as they come; wrap it in `contextlib.aclosing` to stop early.

        Raises:
            CommandFailedError: The exit code is not 0, after the last line.
            CommandTimedOutError: It ran too long.
            ToolMissingError: There is no such program.
        """
        # The time is bounded around each wait, never around a `yield`: a timeout that ends while
        # the caller is at work would cancel the caller.
        until_s = asyncio.get_running_loop().time() + timeout_s
        async with self._started(argv, cwd, self._variables(env or {}, proxied=False)) as group:
            group.feed(b"")
            rest = b""
            while True:
                with self._told_as_timeout(argv, timeout_s):
                    async with asyncio.timeout_at(until_s):
                        chunk = await group.next_chunk()
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    yield line.decode("utf-8", "replace")
                if not chunk:
                    break
            if rest:
                yield rest.decode("utf-8", "replace")
        completed = _completed(argv, group)
        if completed.returncode != 0:
            raise self.failure(completed)

    def failure(self, completed: Completed, *, said: str = "") -> CommandFailedError:
        """Build the redacted error of a command, with `said` in place of its stderr's end."""
        return CommandFailedError(
            self._redacted(completed.argv),
            returncode=completed.returncode,
            stdout_tail=self._redactor.redact(_tail(completed.stdout)),
            stderr_tail=self._redactor.redact(said or _tail(completed.stderr)),
        )

    @asynccontextmanager
    async def _started(
        self, argv: Sequence[str], cwd: Path | None, variables: Mapping[str, str]
    ) -> AsyncIterator[ProcessGroup]:
        """Start the command, and end its whole group whatever happens."""
        shown = self._redacted(argv)
        self._tell("command.started", shown)
        group = ProcessGroup(self._capture_limit)
        try:
            await self._start(group, argv, cwd, variables)
            yield group
        finally:
            await group.end(self._grace_s)
            self._tell("command.finished", shown, group)

    @contextmanager
    def _told_as_timeout(self, argv: Sequence[str], timeout_s: float) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise CommandTimedOutError(self._redacted(argv), timeout_s=timeout_s) from error

    async def _start(
        self,
        group: ProcessGroup,
        argv: Sequence[str],
        cwd: Path | None,
        variables: Mapping[str, str],
    ) -> None:
        try:
            await group.start(argv, cwd, variables, niceness=self._niceness)
        except (FileNotFoundError, PermissionError) as error:
            if cwd is not None and not cwd.is_dir():  # noqa: ASYNC240 - one stat
                raise
            raise ToolMissingError(argv[0]) from error

    def _variables(self, extra: Mapping[str, str | Secret], *, proxied: bool) -> Mapping[str, str]:
        self._redactor.learn(value for value in extra.values() if isinstance(value, Secret))
        revealed = {
            name: value.reveal_text() if isinstance(value, Secret) else value
            for name, value in extra.items()
        }
        proxies = self._environment.proxies if proxied else {}
        return {**self._environment.variables, **proxies, **revealed}

    def _redacted(self, argv: Sequence[str]) -> tuple[str, ...]:
        return tuple(self._redactor.redact(argument) for argument in argv)

    def _tell(self, event: str, argv: tuple[str, ...], group: ProcessGroup | None = None) -> None:
        if self._listener is None:
            return
        fields: dict[str, str | int | float] = {
            "tool": Path(argv[0]).name,
            "argv": " ".join(argv[1:]),
        }
        if group is not None:
            fields |= {"returncode": group.returncode, "elapsed_s": round(group.seconds, 3)}
        self._listener(event, fields)


def _completed(argv: Sequence[str], group: ProcessGroup) -> Completed:
    return Completed(tuple(argv), group.returncode, group.stdout, group.stderr, group.seconds)


def _tail(output: bytes) -> str:
    """Return the last lines of an output, for a message, without the usage that Go's cobra adds."""
    said, _, _ = output.decode("utf-8", "replace").partition("\nUsage:\n")
    lines = said.rstrip().splitlines()[-_TAIL_LINES:]
    return "\n".join(line[:_TAIL_LINE_CHARACTERS] for line in lines)

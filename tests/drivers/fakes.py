"""The scripted runner and the captured outputs of the driver tests."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lifecycle.drivers.process import Completed
from lifecycle.errors import CommandFailedError
from lifecycle.secrets import Secret

CASES = Path(__file__).parent / "cases"

Stub = Callable[[str, str], Path]


@dataclass
class ScriptedRunner:
    """A fake runner: answers by what the command line contains, fails on anything else."""

    answers: dict[str, Completed] = field(default_factory=dict)
    errors: dict[str, Exception] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    environments: list[Mapping[str, str | Secret]] = field(default_factory=list)
    inputs: list[bytes] = field(default_factory=list)

    def answer(
        self, command: str, stdout: str | bytes = b"", *, stderr: str = "", returncode: int = 0
    ) -> None:
        """Answer commands that contain `command`; later answers are tried first."""
        output = stdout.encode() if isinstance(stdout, str) else stdout
        self.answers = {
            command: Completed((), returncode, output, stderr.encode(), 0.0),
            **self.answers,
        }

    def fail(self, command: str, error: Exception) -> None:
        """Raise an error for commands that contain `command`."""
        self.errors[command] = error

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
        """Answer as scripted."""
        del timeout_s, cwd, proxied
        self.asked.append(tuple(argv))
        self.environments.append(env or {})
        self.inputs.append(stdin.reveal() if isinstance(stdin, Secret) else stdin)
        line = " ".join(argv)
        for command, error in self.errors.items():
            if command in line:
                raise error
        for command, completed in self.answers.items():
            if command in line:
                if check and completed.returncode:
                    raise self.failure(completed)
                return completed
        pytest.fail(f"unexpected command: {line}")

    def failure(self, completed: Completed, *, said: str = "") -> CommandFailedError:
        """Build the error of a scripted answer."""
        return CommandFailedError(
            completed.argv or self.asked[-1],
            returncode=completed.returncode,
            stdout_tail=completed.stdout.decode(),
            stderr_tail=said or completed.stderr.decode(),
        )

    async def lines(
        self,
        argv: Sequence[str],
        *,
        timeout_s: float,
        cwd: Path | None = None,
        env: Mapping[str, str | Secret] | None = None,
    ) -> AsyncGenerator[str, None]:
        """Yield the lines of the scripted answer."""
        completed = await self.run(argv, timeout_s=timeout_s, cwd=cwd, env=env)
        for line in completed.stdout.decode().splitlines():
            yield line


def read_case(name: str) -> str:
    """Return the text of a captured output in `cases/`."""
    return (CASES / name).read_text()

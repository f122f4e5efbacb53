"""What a process said, for tests of the stand-ins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

__all__ = ["Run", "Said"]


@dataclass(frozen=True, slots=True)
class Said:
    """What a process said and how it ended."""

    stdout: str
    stderr: str
    code: int


class Run(Protocol):
    """Runs a stand-in as the process that it is."""

    def __call__(
        self, tool: str, *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Said:
        """Run `tool` with `words` in `cwd`, with `env` added to a small environment."""
        ...

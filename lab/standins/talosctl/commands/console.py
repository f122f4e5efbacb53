"""Where a command's words go."""

from __future__ import annotations

import sys

__all__ = ["SIGNAL_NOTICE", "warn", "warn_partly", "write"]

SIGNAL_NOTICE = "Signal received, aborting, press Ctrl+C once again to abort immediately..."


def write(line: str) -> None:
    """Write to standard output."""
    sys.stdout.write(line)


def warn(line: str) -> None:
    """Write a line to standard error."""
    sys.stdout.flush()
    sys.stderr.write(f"{line}\n")


def warn_partly(problem: str) -> None:
    """Report the nodes that failed while others answered."""
    if problem:
        sys.stderr.write(f"WARNING: {problem}\n")

"""Runs a program that ends with the lab: `python tether.py PID PROGRAM ARGUMENTS...`.

A program of its own, since nothing may run between fork and exec of a process with threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

__all__ = ["main"]

_PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> None:
    """Ask the kernel for SIGKILL when the lab ends, however it ends, and become the program."""
    lab, program, *arguments = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(lab):
        sys.exit(1)  # it ended before the kernel knew
    os.execv(program, [program, *arguments])  # noqa: S606  the lab names the program


if __name__ == "__main__":
    main()

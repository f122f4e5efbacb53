"""Real servers beside a test: free ports, a log each, and a certain end."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

__all__ = ["HOST", "find_ports", "run_program"]

HOST = "127.0.0.1"
_LONGEST_STOP_S = 5.0


def find_ports(count: int) -> list[int]:
    """Find ports that are free now; all are held until all are known."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for held in sockets:
            held.bind((HOST, 0))
        return [held.getsockname()[1] for held in sockets]
    finally:
        for held in sockets:
            held.close()


@contextmanager
def run_program(
    folder: Path, command: Sequence[str], environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in `folder`, with what it says in `<its name>.log` there, until the end."""
    with (folder / f"{Path(command[0]).name}.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, cwd=folder, env=environment
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_LONGEST_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

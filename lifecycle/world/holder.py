"""Who holds a cluster's Lease: a process of a user on a machine, told apart from any other."""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Holder", "find_own_holder", "find_process_space", "is_process_alive"]

_TEXT = re.compile(r"^(?P<user>.*)@(?P<host>\S+) pid (?P<pid>\d+) run (?P<run>\S*)$")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PID_NAMESPACE = Path("/proc/self/ns/pid")
_STATE = re.compile(r"^State:\s+(\S)", re.MULTILINE)
_ENDED = frozenset({"Z", "X"})  # a zombie has ended; only its parent has not looked yet


@dataclass(frozen=True, slots=True)
class Holder:
    """A run's process; as text it is a Lease's `holderIdentity`."""

    user: str
    host: str
    pid: int
    run: str

    def __str__(self) -> str:
        return f"{self.user}@{self.host} pid {self.pid} run {self.run}"

    @classmethod
    def parse(cls, text: str) -> Holder | None:
        """Read a `holderIdentity`; None when another program wrote it."""
        found = _TEXT.match(text)
        return found and cls(found["user"], found["host"], int(found["pid"]), found["run"])

    def describe(self) -> str:
        """Name it for people."""
        run = f", run `{self.run}`" if self.run else ""
        return f"process {self.pid} of {self.user} on {self.host}{run}"


def find_own_holder(run: str) -> Holder:
    """Return this very process as the holder of a run."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a line in /etc/passwd
        user = str(os.getuid())
    return Holder(user, socket.gethostname() or "unknown", os.getpid(), run)


def find_process_space() -> str:
    """Identify where a pid means something: this boot of this machine, and its pid namespace.

    Host names do not tell: many machines are called the same. Empty where there is no /proc.
    """
    try:
        parts = f"{_BOOT_ID.read_text().strip()} {_PID_NAMESPACE.readlink()}"
    except OSError:
        return ""
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def is_process_alive(pid: int) -> bool:
    """Tell whether a process of this process space still runs; only asked where /proc is."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return False
    except OSError:
        return True
    state = _STATE.search(status)
    return state is None or state[1] not in _ENDED

"""A Docker engine for the tests that need one: `python -m ci.engine start FOLDER`, `stop FOLDER`.

Where an engine answers already, it is left alone. Else Debian's docker.io is installed where that
can be done, and its daemon is started with everything below the folder: no firewall rules, no
bridge of its own, nothing to pull. `start` prints the engine's address, or nothing and on standard
error why there is none: then the tests skip, and nothing fails.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

__all__ = ["EngineError", "answers", "find_address", "main", "start", "stop"]

_DEFAULT = "unix:///var/run/docker.sock"
_PACKAGES = ("docker.io", "iproute2")
_INSTALL_S = 120.0
_START_S = 30.0
_STOP_S = 15.0
_POLL_S = 0.2
_SCHEME = "unix://"


class EngineError(Exception):
    """There is no engine, and none can be had."""


def main(arguments: list[str]) -> int:
    """Start or stop; exit code 2 for another word."""
    match arguments:
        case ["start", folder]:
            try:
                print(start(Path(folder), os.environ))
            except EngineError as error:
                print(f"no Docker engine: {error}", file=sys.stderr)
        case ["stop", folder]:
            stop(Path(folder))
        case _:
            print("usage: python -m ci.engine start|stop FOLDER", file=sys.stderr)
            return 2
    return 0


def start(folder: Path, environment: Mapping[str, str]) -> str:
    """Return the address of an engine: one that is there, or one of our own.

    Raises:
        EngineError: there is none, and none can be had.
    """
    known = find_address(environment)
    if answers(known):
        return known
    program = _find_daemon() or _install()
    folder.mkdir(parents=True, exist_ok=True)
    address = f"{_SCHEME}{folder}/docker.sock"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            _make_argv(program, folder, address),
            env={**environment, "PATH": _add_sbin(environment.get("PATH", ""))},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # it outlives this command
        )
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        if answers(address):
            process.returncode = 0  # Popen would warn of a child that nobody waits for
            return address
        time.sleep(_POLL_S)
    process.kill()
    process.wait()
    raise EngineError(f"dockerd does not start: {_read_tail(folder / 'log')}")


def stop(folder: Path) -> None:
    """End our own engine; does nothing where there is none."""
    try:
        pid = int((folder / "pid").read_text(encoding="ascii"))
        os.kill(pid, signal.SIGTERM)
    except (OSError, ValueError):
        return
    deadline = time.monotonic() + _STOP_S
    while (folder / "pid").exists() and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    _unmount(folder)


def find_address(environment: Mapping[str, str]) -> str:
    """Return where an engine would be, as Docker's own tools look for it."""
    return environment.get("DOCKER_HOST") or _DEFAULT


def answers(address: str) -> bool:
    """Tell whether an engine answers on a local socket; of others nothing is known."""
    if not address.startswith(_SCHEME):
        return True
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5.0)
            connection.connect(address.removeprefix(_SCHEME))
            connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in connection.recv(64)
    except OSError:
        return False


def _find_daemon() -> str | None:
    return shutil.which("dockerd", path=_add_sbin(os.environ.get("PATH", "")))


def _add_sbin(path: str) -> str:
    """Add where daemons are, which not everybody has on PATH."""
    return os.pathsep.join(filter(None, (path, "/usr/local/sbin", "/usr/sbin", "/sbin")))


def _make_argv(program: str, folder: Path, address: str) -> list[str]:
    return [
        program,
        *("--host", address),
        *("--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")),
        *("--pidfile", str(folder / "pid")),
        # Works on any file system; images are a few megabytes.
        *("--storage-driver", "vfs"),
        *("--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"),
        *("--userland-proxy=false", "--bridge=none"),
    ]


def _install() -> str:
    """Install Debian's engine; returns its daemon.

    Raises:
        EngineError: that cannot be done here.
    """
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        raise EngineError("there is no dockerd, and installing one takes root and apt-get")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends"]):
        packages = _PACKAGES if words[0] == "install" else ()
        try:
            done = subprocess.run(
                [apt, *words, *packages],
                env=environment,
                capture_output=True,
                text=True,
                timeout=_INSTALL_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise EngineError(f"apt-get {words[0]} took longer than {_INSTALL_S:.0f} s") from error
        if done.returncode != 0:
            last = (done.stderr.strip() or "it says nothing").splitlines()[-1]
            raise EngineError(f"apt-get {words[0]} failed: {last}")
    program = _find_daemon()
    if program is None:
        raise EngineError("Debian's docker.io brought no dockerd")
    return program


def _unmount(folder: Path) -> None:
    """Unmount what the engine left below its folder, so that it can be removed."""
    mounts = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    places = [line.split(" ")[1] for line in mounts]
    for place in sorted(places, reverse=True):
        if Path(place).is_relative_to(folder):
            subprocess.run(["umount", "--lazy", place], check=False)


def _read_tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it says nothing"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""talosctl as a process, the real one or the stand-in, against simulated machines."""

from __future__ import annotations

import asyncio
import base64
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from lab.machines import pki
from lab.standins.install import install_standins, is_standin
from tests.lab_machines.lab_machines_world import Cluster, World

__all__ = [
    "NODES",
    "PREFIX",
    "TRACKED_SPEED",
    "Result",
    "Talosctl",
    "address_of",
    "find_columns",
    "find_real",
    "find_talosctl",
    "make_cluster",
    "make_standin",
    "write_talosconfig",
]

PREFIX = "10.77.0."
# The tracker looks for events again 500 ms after a reboot began and asks for no earlier ones: a
# machine that is back by then is waited for in vain. At this speed a reboot takes two seconds.
TRACKED_SPEED = 40.0
_SKEW = re.compile(
    r"^WARNING: \S+ server version \S+ is older than client version \S+\n", re.MULTILINE
)
_FIRST_THAT_ASKS = 14
_FIRST_WITH_CODE = (1, 14, 1)
NODES = {"cp1": f"{PREFIX}11", "cp2": f"{PREFIX}12", "cp3": f"{PREFIX}13", "w1": f"{PREFIX}12"}


@dataclass(frozen=True, slots=True)
class Result:
    """What a command printed and how it ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def error(self) -> str:
        """Standard error without the usage that follows some errors, on one line's worth."""
        return self.stderr.partition("\nUsage:")[0].strip()

    @property
    def rows(self) -> list[list[str]]:
        """The table on standard output: cells are two spaces or more apart."""
        lines = self.stdout.splitlines()
        return [re.split(r"\s{2,}", line.strip()) for line in lines]


@dataclass(frozen=True, slots=True)
class Talosctl:
    """talosctl with a home and a talosconfig of its own.

    From 1.14 on, talosctl asks each node by itself: errors name it, and reasons are no lists.
    """

    program: Path
    home: Path
    is_real: bool
    version: str = "v1.13.9"

    @property
    def asks_each(self) -> bool:
        """Whether it is 1.14 or newer."""
        return int(self.version.split(".")[1]) >= _FIRST_THAT_ASKS

    @property
    def tells_code_first(self) -> bool:
        """Whether code and message of a failed sequence are not mixed up, as before 1.14.1."""
        numbers = self.version.removeprefix("v").partition("-")[0].split(".")
        return tuple(map(int, numbers)) >= _FIRST_WITH_CODE

    def failed(self, act: str, node: str) -> str:
        """How a failed call of one node begins."""
        return f"error {act} from node {node}: " if self.asks_each else f"error {act}: "

    async def run(self, *arguments: str, timeout_s: float = 60.0, speed: float = 1.0) -> Result:
        """Run it to its end; `speed` is the lab's, which only the stand-in knows of."""
        environment = {
            "HOME": str(self.home),
            "TALOSCONFIG": str(self.home / "talosconfig"),
            "TALOS_LAB_SPEED": str(speed),
        }
        process = await asyncio.create_subprocess_exec(
            self.program,
            *arguments,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(timeout_s):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        # The lab's machines are of 1.13: a newer talosctl remarks on that before all else.
        said = _SKEW.sub("", err.decode())
        return Result(process.returncode or 0, out.decode(), said)

    def write(self, name: str, data: bytes) -> str:
        """Write a file into its home and return the path."""
        path = self.home / name
        path.write_bytes(data)
        return str(path)


def find_talosctl(home: Path) -> Talosctl:
    """Find the real talosctl on PATH, else make the stand-in."""
    return find_real(home) or make_standin(home)


def find_real(home: Path) -> Talosctl | None:
    """Find the real talosctl; None when there is none on PATH."""
    found = shutil.which("talosctl")
    if found is None or is_standin(Path(found)):
        return None
    return Talosctl(Path(found), home, is_real=True, version=_read_version(found))


@cache
def _read_version(program: str) -> str:
    words = [program, "version", "--client", "--short"]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return said.split()[-1]


def make_standin(home: Path) -> Talosctl:
    """Make a launcher of the stand-in."""
    install_standins(home / "bin", ["talosctl"])
    return Talosctl(home / "bin" / "talosctl", home, is_real=False)


def write_talosconfig(
    talosctl: Talosctl,
    cluster: Cluster,
    *endpoints: str,
    role: str = "os:admin",
    trusted: bytes = b"",
) -> None:
    """Write a talosconfig: of a cluster's admin, unless another role or CA is given."""
    client = pki.mint_client(cluster.talos, role)
    # Talos' own label, which Go's and our readers must accept.
    key = client.key.replace(b"PRIVATE KEY", b"ED25519 PRIVATE KEY")
    context = {
        "endpoints": [*endpoints],
        "ca": base64.b64encode(trusted or cluster.talos.crt).decode(),
        "crt": base64.b64encode(client.crt).decode(),
        "key": base64.b64encode(key).decode(),
    }
    document = {"context": "lab", "contexts": {"lab": context}}
    (talosctl.home / "talosconfig").write_text(yaml.safe_dump(document))


def address_of(world: World, name: str) -> str:
    """Where a machine really listens."""
    return world.machines[name].spec.loopback


async def make_cluster(
    world: World, talosctl: Talosctl, *names: str, bootstraps: bool = True
) -> None:
    """Bring machines up without talosctl, and write a talosconfig with cp1 as its endpoint."""
    await world.machines.start()
    await world.configure(*names)
    if bootstraps:
        await world.bootstrap()
    write_talosconfig(talosctl, world.cluster, address_of(world, "cp1"))


def find_columns(result: Result, *titles: str) -> Sequence[tuple[str, ...]]:
    """Read columns of a table by their titles."""
    header, *rows = result.rows
    places = [header.index(title) for title in titles]
    return [tuple(row[place] for place in places) for row in rows]

"""A lab whose machines have the addresses that the repository declares, on a network of its own.

`python -m tests.whole.own_network FOLDER` in a new network namespace: nothing but these machines
is on that network, and nobody dials another address than the declared one. Standard output tells
what an operator there has; the lab ends with standard input.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from lab.addresses import Addresses
from lab.registry import Registry
from lab.repository import MaterializedRepository, find_sample, materialize
from lab.tools import LabTools
from lab.world import LabRequest, LabWorld
from lifecycle.cli.lab import find_lab_folder
from lifecycle.cli.lab_tools import find_lab_tools
from lifecycle.store import ClusterState

_SPEED = 40.0
_PATCHES = "clusters/main/talos/patches/all.yaml"
_MIRROR = """
  registries:
    mirrors:
      factory.talos.dev:
        endpoints:
          - http://{address}
"""


def main() -> None:
    """Make the network, then serve."""
    folder = Path(sys.argv[1])
    tools = find_lab_tools()  # has a loop of its own
    asyncio.run(serve(folder, tools))


async def serve(folder: Path, tools: tuple[Path, ...]) -> None:
    """Serve the sample, as a repository of somebody's own, until standard input ends."""
    registry = Registry()
    await registry.start()
    made = make_repository(folder / "home", LabTools(path=tools), registry.address)
    state = ClusterState(folder / "world")
    state.create()
    request = LabRequest(
        folder=find_lab_folder(state),
        repository=made.path,
        tools=tools,
        speed=_SPEED,
        reserve=reserve_declared,
    )
    world = LabWorld(request)
    await world.start()
    env: Mapping[str, str] = {**made.env, "SOPS_AGE_KEY_FILE": str(made.age_key_file)}
    told = {
        "repo": str(made.path),
        "charts": str(request.folder / "charts"),
        "state": str(state.folder),
        "bin": str(request.folder / "bin"),
        "env": env,
    }
    sys.stdout.write(f"{json.dumps(told)}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await world.stop()
    await registry.stop()


def make_repository(home: Path, tools: LabTools, registry: str) -> MaterializedRepository:
    """Make the sample, with a mirror of the image factory, which nobody here can reach."""
    made = materialize(find_sample(), home, tools)
    patches = made.path / _PATCHES
    patches.write_text(patches.read_text() + _MIRROR.format(address=registry))
    # Where ClusterTool looks for it; `.gitignore` keeps it out of Git.
    shutil.copyfile(home / "age.agekey", made.path / "age.agekey")
    git = tools.with_env(made.env)
    author = ("-c", "user.name=somebody", "-c", "user.email=somebody@lab.example")
    git.run("git", *author, "commit", "--quiet", "--all", "--message", "Mirror", cwd=made.path)
    git.run("git", "push", "--quiet", str(made.remote), "HEAD:main", cwd=made.path)
    return made


def reserve_declared(declared: Sequence[str], more_ports: Sequence[int] = ()) -> Addresses:
    """Bring the declared addresses up here, and listen on nothing else."""
    del more_ports  # every port is free
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in declared:
        subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)
    return Addresses({address: address for address in declared})


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()

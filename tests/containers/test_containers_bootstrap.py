"""A whole bootstrap over a Docker network, while the network goes wrong."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from lab.world import LabRequest, LabWorld
from lifecycle.cli.lab import find_lab, find_lab_folder
from lifecycle.cli.lab_tools import find_lab_tools
from lifecycle.store import ClusterState
from tests.containers.containers_network import ContainerNetwork
from tests.refusals.refusals_lab import ROOT, Place

pytestmark = pytest.mark.e2e

_CONTROL, _WORKER = "10.40.0.11", "10.40.0.21"  # as the sample declares them
_AWAY_S = 2.0  # wall seconds; 80 of the lab's
_SPEED = 40.0


@pytest.fixture(scope="module")
def tools() -> tuple[Path, ...]:
    """What the lab needs and PATH may lack; it has a loop of its own, so no test can ask."""
    return find_lab_tools()


@pytest.fixture
async def world(
    network: ContainerNetwork, tmp_path: Path, tools: tuple[Path, ...]
) -> AsyncIterator[LabWorld]:
    """The sample's lab, where the command line finds it, on a Docker network."""
    state = ClusterState(tmp_path / "state" / "talos-lifecycle" / "lab" / "sample")
    state.create()
    request = LabRequest(
        folder=find_lab_folder(state),
        tools=tools,
        speed=_SPEED,
        reserve=network.reserve,
    )
    made = LabWorld(request)
    await made.start()
    yield made
    await made.stop()


async def test_bootstrap_goes_on_over_a_bad_network(
    network: ContainerNetwork, world: LabWorld, tmp_path: Path
) -> None:
    """Partitioned, slowed and cut at its critical moments, the run comes to its end by itself."""
    lab = find_lab(ClusterState(world.request.folder.parent))
    assert lab is not None
    control, worker = lab.addresses[_CONTROL], lab.addresses[_WORKER]
    run = asyncio.create_task(_bootstrap(tmp_path))

    await _until(run, lambda: "machine.install/sample-worker-1" in world.ledger.acts)
    await _partition(network, worker)
    await _until(run, lambda: "etcd.bootstrap" in world.ledger.acts)
    await asyncio.to_thread(network.slow, control, "8mbit")
    await _until(run, lambda: any(act.startswith("helm.install") for act in world.ledger.acts))
    await asyncio.to_thread(network.hasten, control)
    await asyncio.to_thread(network.kill, control)
    await asyncio.sleep(_AWAY_S)
    await asyncio.to_thread(network.revive, control)
    world.renew(control)
    code, said = await run

    assert not control.startswith("127.")
    assert code == 0, said
    assert "60 of 60 done" in said
    assert world.ledger.acts["etcd.bootstrap"] == 1


async def _partition(network: ContainerNetwork, host: str) -> None:
    await asyncio.to_thread(network.partition, host)
    await asyncio.sleep(_AWAY_S)
    await asyncio.to_thread(network.mend, host)


async def _until(run: asyncio.Task[tuple[int, str]], holds: Callable[[], bool]) -> None:
    while not holds():
        if run.done():
            pytest.fail(f"the run ended too early: {run.result()}")
        await asyncio.sleep(0.05)


async def _bootstrap(folder: Path) -> tuple[int, str]:
    """Run the command line to its end; returns its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("invoke")),
        *("bootstrap", "--lab", "--yes"),
        cwd=ROOT,
        env=Place(folder).environ(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, said.decode()

"""`invoke bench --only machines`: a thousand simulated machines in one process.

Measured in a process of its own: how long they take to start, what memory that takes, and how
they answer, each by itself and all through one endpoint to one talosctl. Then the same small
cluster is brought up at several speeds, and what has happened is compared.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from google.protobuf.empty_pb2 import Empty
from grpclib.client import Channel

from lab.clock import LabClock
from lab.ledger import Ledger
from lab.machines import Machines, MachineSpec, derive_hardware
from lab.machines.protos.machine_grpc import MachineServiceStub
from tests.lab_machines.lab_machines_world import PORT, Cluster, FakePlane, World, make_world_of
from tests.lab_machines.lab_machines_world import make_insecure_context as make_context
from tests.talos_rows.talos_rows_tool import find_talosctl, write_talosconfig

__all__ = ["Outcome", "bring_up", "draw_machines", "measure_machines"]

_MACHINES = 1000
_SPEED = 100.0
_AT_ONCE = 50
_SPEEDS = (50.0, 200.0, 1000.0)
_KIB_A_MIB = 1024


def draw_machines() -> str:
    """Measure in a new process and write the figures as a table.

    Raises:
        CalledProcessError: something did not answer.
    """
    command = [sys.executable, "-m", "ci.bench_machines"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    rows = [(str(name), str(value)) for name, value in found.items()]
    lines = [f"machines: {_MACHINES:,} in one process"]
    return "\n".join([*lines, *(f"  {name:<22} {value}" for name, value in rows), ""])


async def measure_machines() -> dict[str, str]:
    """Measure everything, in this process."""
    begun = time.monotonic()
    world = _make_world()
    await world.machines.start()
    figures = {"start": f"{time.monotonic() - begun:.2f} s"}
    figures["peak memory, started"] = f"{_read_peak_mib():.0f} MiB"
    begun = time.monotonic()
    await _ask_each(world)
    figures["each asked, insecure"] = f"{time.monotonic() - begun:.2f} s"
    await _configure(world)
    figures["one talosctl for all"] = await _ask_all(world)
    figures["peak memory, asked"] = f"{_read_peak_mib():.0f} MiB"
    await world.machines.stop()
    outcomes = [await bring_up(speed) for speed in _SPEEDS]
    for speed, outcome in zip(_SPEEDS, outcomes, strict=True):
        figures[f"cluster at speed {speed:g}"] = (
            f"{outcome.wall_s:.2f} s, {outcome.simulated_s:.0f} simulated s"
        )
    same = all(outcome.acts == outcomes[0].acts for outcome in outcomes)
    figures["same acts at each speed"] = "yes" if same else "NO"
    return figures


@dataclass(frozen=True, slots=True)
class Outcome:
    """What bringing up a cluster came to."""

    wall_s: float
    simulated_s: float
    acts: Mapping[str, int]


async def bring_up(speed: float) -> Outcome:
    """Bring a small cluster up from maintenance mode at a speed."""
    names = ("cp1", "cp2", "cp3", "w1")
    world = make_world_of(names, speed)
    begun = time.monotonic()
    await world.machines.start()
    await world.apply(*names)
    for name in names:
        await world.until(partial(world.is_configured, name), timeout_s=60.0)
    world.machines["cp1"].boot.bootstrap_asked = True
    world.machines["cp1"].changed.ring()
    await world.until(world.all_ready, timeout_s=60.0)
    outcome = Outcome(time.monotonic() - begun, world.clock.elapsed_s(), world.ledger.acts)
    for channel in world.channels:
        channel.close()
    await world.machines.stop()
    return outcome


def _read_peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB_A_MIB


def _make_world() -> World:
    names = ["cp1", *(f"w{number}" for number in range(1, _MACHINES))]
    specs = [
        MachineSpec(
            name,
            "controlplane" if name == "cp1" else "worker",
            f"10.66.{at // 250}.{at % 250 + 1}",
            f"127.66.{at // 250}.{at % 250 + 1}",
            derive_hardware(name),
        )
        for at, name in enumerate(names)
    ]
    clock, plane = LabClock(Ledger(), speed=_SPEED), FakePlane()
    return World(Machines(clock, plane, specs), plane, Cluster(), clock)


async def _ask_each(world: World) -> None:
    """Ask every machine for its version over a connection of its own."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def ask(spec: MachineSpec) -> None:
        async with turns:
            channel = Channel(spec.loopback, PORT, ssl=make_context())
            try:
                await MachineServiceStub(channel).Version(Empty())
            finally:
                channel.close()

    await asyncio.gather(*(ask(machine.spec) for machine in world.machines))


async def _configure(world: World) -> None:
    """Make every machine one that was installed earlier, and wait until all answer again."""
    for machine in world.machines:
        machine.preconfigure(world.cluster.write_config(machine.name))
    machines = list(world.machines)
    await world.until(
        lambda: all(m.config is not None and m.is_reachable for m in machines), timeout_s=120.0
    )


async def _ask_all(world: World) -> str:
    """Let one talosctl ask every machine through the control plane's endpoint."""
    with tempfile.TemporaryDirectory(prefix="talos-bench-") as folder:
        talosctl = find_talosctl(Path(folder))
        write_talosconfig(talosctl, world.cluster, world.machines["cp1"].spec.loopback)
        nodes = ",".join(machine.spec.address for machine in world.machines)
        begun = time.monotonic()
        result = await talosctl.run("version", "--short", "-n", nodes)
        took_s = time.monotonic() - begun
    answers = result.stdout.count("NODE:")
    kind = "real" if talosctl.is_real else "stand-in"
    return f"{took_s:.2f} s, {answers:,} answers ({kind})"


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure_machines())))

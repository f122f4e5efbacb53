"""Clusters of machines as tests of upgrades and resets begin with them, and their reboots."""

from __future__ import annotations

from lab.machines.protos import machine_pb2
from lab.machines.protos.machine_grpc import MachineServiceStub
from tests.lab_machines.lab_machines_world import MakeWorld, World

__all__ = ["make_cluster", "reboot"]


async def make_cluster(make_world: MakeWorld, *names: str) -> World:
    """Start machines, configure them and bootstrap etcd."""
    world = make_world(names)
    await world.machines.start()
    await world.configure(*names)
    await world.bootstrap()
    return world


async def reboot(world: World, name: str) -> None:
    """Reboot a machine, and wait for its next boot."""
    machine = world.machines[name]
    before = machine.boot.id
    await MachineServiceStub(world.connect(name)).Reboot(machine_pb2.RebootRequest())
    await world.until(lambda: machine.boot.id != before and machine.is_reachable)

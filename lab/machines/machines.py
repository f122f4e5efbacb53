"""The lab's machines, switched on and off together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from lab.clock import LabClock
from lab.machines.boot import MachineSpec
from lab.machines.gate import ApiGate
from lab.machines.lifecycle import run_machine
from lab.machines.listener import Listener
from lab.machines.machine import Machine
from lab.machines.rpc import (
    cluster_service,
    etcd_service,
    file_service,
    image_service,
    machine_service,
    power_service,
    reset_service,
    state_service,
    storage_service,
)
from lab.machines.rpc.dispatch import make_handlers
from lab.machines.table import MachineTable
from lab.network import Lines
from lab.ports import EtcdHost, KubernetesPlane
from lab.vital import begin_vital

__all__ = ["Machines"]

_ROUTES = (
    *machine_service.ROUTES,
    *power_service.ROUTES,
    *reset_service.ROUTES,
    *etcd_service.ROUTES,
    *file_service.ROUTES,
    *image_service.ROUTES,
    *state_service.ROUTES,
    *storage_service.ROUTES,
    *cluster_service.ROUTES,
)


class Machines:
    """Every simulated machine by name; nothing listens before `start`.

    Args:
        clock: simulated time, with the ledger that counts acts and waits.
        plane: the cluster's Kubernetes, driven as machines come and go.
        specs: the machines to make; names and loopback addresses are unique.
        etcd: what runs behind the members of etcd; nothing unless given.
        lines: where they listen; on loopback unless told otherwise.
    """

    def __init__(
        self,
        clock: LabClock,
        plane: KubernetesPlane,
        specs: Sequence[MachineSpec],
        *,
        etcd: EtcdHost | None = None,
        lines: Lines | None = None,
    ) -> None:
        self._lines, self._owns_lines = lines or Lines(clock), lines is None
        self._table = MachineTable(plane, etcd)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        for spec in specs:
            self._table.add(self._make(spec, clock))
        for machine in self:
            machine.siblings = len(self)

    def __getitem__(self, name: str) -> Machine:
        return self._table.machines[name]

    def __iter__(self) -> Iterator[Machine]:
        return iter(self._table.machines.values())

    def __len__(self) -> int:
        return len(self._table.machines)

    async def start(self) -> None:
        """Switch every machine on; returns when each listens or is made not to.

        Raises:
            OSError: a machine's address is taken; the message names it. All are off again.
        """
        for machine in self:
            self.power_on(machine.name)
        try:
            for machine in self:
                await self._wait_powered(machine)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Cut the power of every machine: nothing listens afterwards."""
        tasks, self._tasks = list(self._tasks.values()), {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._owns_lines:
            self._lines.close()

    async def _wait_powered(self, machine: Machine) -> None:
        """Wait until a machine is up, or raise what keeps it from it."""
        life = self._tasks[machine.name]
        powered = asyncio.create_task(machine.powered.wait())
        try:
            await asyncio.wait((powered, life), return_when=asyncio.FIRST_COMPLETED)
            if life.done():
                life.result()
        finally:
            powered.cancel()

    def power_on(self, name: str) -> None:
        """Press the button of a machine that is off; does nothing to one that runs."""
        task = self._tasks.get(name)
        if task is None or task.done():
            self._tasks[name] = begin_vital(run_machine(self[name], self._table), f"machine {name}")

    def _make(self, spec: MachineSpec, clock: LabClock) -> Machine:
        machine = Machine(spec, clock)
        handlers = make_handlers(machine, self._table, _ROUTES)
        listener = Listener(self._lines[spec.loopback], handlers)
        names = (spec.address, spec.loopback)
        machine.gate = ApiGate(listener, names, lambda: self._table.find_authority(machine))
        return machine

"""A machine from switched on to switched off: maintenance, install, boots, sequences.

Order and events follow facts/talos.md §3; what runs on top (etcd, static pods, kubelet) is in
`controlplane`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn

from lab.machines import controlplane, durations
from lab.machines.boot import Install, PowerRequest, Stage, Verb
from lab.machines.conditions import find_unmet, make_status_event
from lab.machines.faults import Fault
from lab.machines.gate import ApiMode
from lab.machines.machine import Machine
from lab.machines.power import KEPT_SERVICES, fail_sequence, perform
from lab.machines.protos import machine_pb2
from lab.machines.reach import wait_connected
from lab.machines.table import MachineTable

__all__ = ["run_machine"]

_BASE_SERVICES = ("apid", "containerd", "machined", "udevd")


async def run_machine(machine: Machine, table: MachineTable) -> None:
    """Live through boots until something switches the machine off."""
    watcher = asyncio.create_task(_watch(machine, table))
    try:
        while True:
            machine.begin_boot()
            request = await _live(machine, table)
            if not await _perform(machine, table, request):
                return
    finally:
        await _cancel(watcher)
        machine.powered.clear()
        await machine.gate.set(ApiMode.DOWN, None, "")


async def _watch(machine: Machine, table: MachineTable) -> None:
    """Keep the API, and the status that nobody announces, as they should be."""
    seen: object = None
    while True:
        await _open_api(machine)
        if machine.boot.stage is not Stage.UNKNOWN:
            machine.powered.set()
        boot = machine.boot
        boot.unmet = find_unmet(machine, table.plane)
        boot.ready = not boot.unmet
        now = (boot.id, boot.stage, boot.unmet)
        if now != seen and boot.stage is not Stage.UNKNOWN:
            seen = now
            machine.publish(make_status_event(machine))
        await machine.changed.wait(machine.poll_s())


async def _open_api(machine: Machine) -> None:
    mode = machine.boot.api
    if machine.has_fault(Fault.UNREACHABLE):
        mode = ApiMode.DOWN
    elif machine.has_fault(Fault.SILENT) and mode is not ApiMode.DOWN:
        mode = ApiMode.MUTE
    elif machine.has_fault(Fault.CLOCK_AHEAD) and mode is ApiMode.MAINTENANCE:
        mode = ApiMode.MAINTENANCE_AHEAD
    await machine.gate.set(mode, machine.config, machine.hostname)


async def _set_api(machine: Machine, mode: ApiMode) -> None:
    machine.boot.api = mode
    await _open_api(machine)


async def _live(machine: Machine, table: MachineTable) -> PowerRequest:
    """Run one boot until a sequence ends it."""
    work = asyncio.create_task(_bring_up(machine, table))
    asked = asyncio.create_task(machine.requests.get())
    try:
        await asyncio.wait({work, asked}, return_when=asyncio.FIRST_COMPLETED)
        return asked.result() if asked.done() else work.result()
    finally:
        await _cancel(work, asked)


async def _bring_up(machine: Machine, table: MachineTable) -> PowerRequest:
    """Go as far as this boot goes: to the end of an install, or to a node that stays."""
    for name in _BASE_SERVICES:
        machine.boot.services.start(name, health=True if name in KEPT_SERVICES else None)
    machine.set_stage(Stage.BOOTING)
    if machine.is_isolated:
        await _stay_foreign(machine)
    if machine.config is None:
        await _wait_in_maintenance(machine)
        if machine.install is None:
            return await _install(machine)
        machine.install.config = machine.config
    if machine.install is not None and machine.install.staged is not None:
        return await _upgrade_staged(machine, machine.install)
    await _set_api(machine, ApiMode.CONFIGURED)
    async with _sequence(machine, "boot"):
        await controlplane.start_services(machine, table)
    machine.set_stage(Stage.RUNNING)
    return await controlplane.tend(machine, table)


async def _upgrade_staged(machine: Machine, install: Install) -> PowerRequest:
    """Write what an earlier boot has staged before anything else starts, then boot it."""
    image, install.staged = install.staged, None
    machine.set_stage(Stage.INSTALLING)
    async with _sequence(machine, "install"):
        machine.publish(machine_pb2.PhaseEvent(phase="install", action="START"))
        await machine.wait(durations.UPGRADE_WRITE_S, "write the other slot")
        if image is not None:
            install.write(image)
        machine.publish(machine_pb2.PhaseEvent(phase="install", action="STOP"))
    return PowerRequest(Verb.REBOOT)


async def _wait_in_maintenance(machine: Machine) -> None:
    machine.boot.api = ApiMode.MAINTENANCE
    machine.publish(machine_pb2.TaskEvent(task="runningMaintenance", action="START"))
    machine.set_stage(Stage.MAINTENANCE)
    machine.log(f"this machine is reachable at: {machine.spec.address}")
    await _open_api(machine)
    await machine.applied.wait()
    # The answer to ApplyConfiguration leaves before apid goes.
    await asyncio.sleep(machine.poll_s())
    machine.publish(machine_pb2.TaskEvent(task="runningMaintenance", action="STOP"))
    machine.set_stage(Stage.BOOTING)
    await _set_api(machine, ApiMode.DOWN)
    machine.activate(machine.pending)
    machine.boot.services.set("apid", "Starting", "Restarting service")
    await machine.wait(durations.APID_RESTART_S, "apid restart")
    machine.boot.services.start("apid")
    await _set_api(machine, ApiMode.CONFIGURED)


async def _install(machine: Machine) -> PowerRequest:
    config = machine.config
    assert config is not None  # noqa: S101 # maintenance ends with a config only
    machine.set_stage(Stage.INSTALLING)
    async with _sequence(machine, "install"):
        machine.publish(machine_pb2.PhaseEvent(phase="install", action="START"))
        factor = durations.SLOW_INSTALL_FACTOR if machine.has_fault(Fault.SLOW_INSTALL) else 1.0
        await wait_connected(machine)  # the installer is an image
        await machine.wait(durations.INSTALL_S * factor, "install")
        disks = config.find_install_disks(machine.hardware.disks)
        if not disks or machine.has_fault(Fault.INSTALL_FAILS):
            await _fail_install(machine)
            return PowerRequest(Verb.REBOOT)
        image = machine.read_image(config.install_image)
        machine.install = Install(disks[0].dev_path, image, config=config)
        machine.count("machine.install")
        machine.publish(machine_pb2.PhaseEvent(phase="install", action="STOP"))
    return PowerRequest(Verb.REBOOT)


async def _fail_install(machine: Machine) -> None:
    message = "failed to pull the installer image"
    if not machine.has_fault(Fault.INSTALL_FAILS):
        path = machine.config.install_disk if machine.config else ""
        message = f"lstat {path}: no such file or directory"
    machine.log(f"install sequence failed: {message}")
    machine.publish(fail_sequence("install", f"sequence failed: {message}"))
    await machine.wait(durations.FAILURE_PAUSE_S, "pause after a failed install")


async def _stay_foreign(machine: Machine) -> NoReturn:
    for name in ("cri", "kubelet", "etcd", "trustd"):
        machine.boot.services.start(name)
    machine.set_stage(Stage.RUNNING)
    await _set_api(machine, ApiMode.CONFIGURED)
    while True:
        await asyncio.Event().wait()


async def _perform(machine: Machine, table: MachineTable, request: PowerRequest) -> bool:
    """Carry out a sequence; tell whether the machine boots again."""
    reboots = await perform(machine, table, request)
    await _set_api(machine, ApiMode.DOWN)
    if not reboots:
        machine.boot.stage = Stage.UNKNOWN
        return False
    if not request.is_instant:
        await machine.wait(durations.BOOT_S, "reboot")
    return True


@asynccontextmanager
async def _sequence(machine: Machine, name: str) -> AsyncIterator[None]:
    machine.publish(machine_pb2.SequenceEvent(sequence=name, action="START"))
    yield
    machine.publish(machine_pb2.SequenceEvent(sequence=name, action="STOP"))


async def _cancel(*tasks: asyncio.Task[PowerRequest] | asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

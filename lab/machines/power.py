"""Carrying out the sequences that end a boot, phase by phase, with the events of each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from lab.machines import controlplane, durations
from lab.machines.boot import PowerRequest, Stage, Verb
from lab.machines.draining import DrainError, cordon, cordon_and_drain
from lab.machines.machine import Machine
from lab.machines.protos import common_pb2, machine_pb2
from lab.machines.sequences import Phase, can_take_over, list_phases
from lab.machines.table import MachineTable

__all__ = ["KEPT_SERVICES", "fail_sequence", "perform"]

# Stopping these would end the conversation that the sequence was asked for in.
KEPT_SERVICES = frozenset({"apid", "machined"})
_STAGES = {
    Verb.REBOOT: Stage.REBOOTING,
    Verb.RESET: Stage.RESETTING,
    Verb.SHUTDOWN: Stage.SHUTTING_DOWN,
    Verb.UPGRADE: Stage.UPGRADING,
    Verb.STAGE_UPGRADE: Stage.UPGRADING,
}
_CORDONING = frozenset({Stage.SHUTTING_DOWN, Stage.UPGRADING, Stage.RESETTING})
# Sequences in which `kexec` begins the stage rebooting (`runtime/machine_status.go`).
_SHOWING_REBOOT = frozenset({Verb.UPGRADE, Verb.STAGE_UPGRADE})
# Tasks that wait for others, and end when another sequence takes over.
_PATIENT = frozenset({"cordonAndDrainNode", "leaveEtcd"})


@dataclass(frozen=True, slots=True)
class _Sequence:
    machine: Machine
    table: MachineTable
    request: PowerRequest


class _TaskError(Exception):
    """A task failed; the text is what it says."""


async def perform(machine: Machine, table: MachineTable, request: PowerRequest) -> bool:
    """Carry out a sequence, or what takes it over; tell whether the machine boots again."""
    while True:
        sequence = _Sequence(machine, table, request)
        taken_over = await _run(sequence)
        if isinstance(taken_over, bool):
            break
        request = taken_over
    if machine.etcd is None:
        await table.etcd.wipe(machine.hostname)
    return taken_over


def fail_sequence(sequence: str, message: str, code: str = "FATAL") -> machine_pb2.SequenceEvent:
    """Make the event of a sequence that failed, or that did not start."""
    error = common_pb2.Error(code=code, message=message)
    return machine_pb2.SequenceEvent(sequence=sequence, action="NOOP", error=error)


async def _run(sequence: _Sequence) -> bool | PowerRequest:
    """Run every phase; return what takes over, or whether the machine boots again."""
    machine, request = sequence.machine, sequence.request
    name = request.verb.value
    machine.count(f"machine.{name}")
    machine.publish(machine_pb2.SequenceEvent(sequence=name, action="START"), request.actor)
    machine.set_stage(_STAGES[request.verb])
    machine.boot.is_uncordoned = True
    if machine.boot.stage in _CORDONING:
        await cordon(machine, sequence.table)
    phases = list_phases(request, is_control_plane=machine.is_control_plane)
    problem, code, newer = "", "FATAL", None
    for number, phase in enumerate(phases, 1):
        try:
            newer = await _run_phase(sequence, phase)
        except _TaskError as error:
            problem = f"error running phase {number} in {name} sequence: task 1/1: failed, {error}"
            break
        if newer is not None:
            problem, code = "context canceled", "CANCELED"
            break
    machine.publish(machine_pb2.SequenceEvent(sequence=name, action="STOP"), request.actor)
    if not problem:
        return request.reboots
    machine.log(f"{name} failed: {problem}")
    machine.publish(fail_sequence(name, f"sequence failed: {problem}", code), request.actor)
    return newer or await _reboot_after_failure(sequence)


async def _run_phase(sequence: _Sequence, phase: Phase) -> PowerRequest | None:
    """Run one phase; return the sequence that takes over meanwhile."""
    machine, request = sequence.machine, sequence.request
    phase_event, task_event = machine_pb2.PhaseEvent, machine_pb2.TaskEvent
    machine.publish(phase_event(phase=phase.name, action="START"), request.actor)
    if phase.name == "kexec" and request.verb in _SHOWING_REBOOT:
        machine.set_stage(Stage.REBOOTING)
    machine.publish(task_event(task=phase.task, action="START"), request.actor)
    try:
        return await _race(sequence, phase)
    except _TaskError as error:
        machine.log(f"task {phase.task} (1/1): failed: {error}")
        if not phase.forgives:
            raise
    finally:
        machine.publish(task_event(task=phase.task, action="STOP"), request.actor)
        machine.publish(phase_event(phase=phase.name, action="STOP"), request.actor)
    return None


async def _race(sequence: _Sequence, phase: Phase) -> PowerRequest | None:
    """Run a task; one that waits for others ends when a sequence comes that may take over."""
    task = _TASKS.get(phase.task)
    if task is None:
        return None
    if phase.task not in _PATIENT:
        await task(sequence)
        return None
    work = asyncio.ensure_future(task(sequence))
    asked = asyncio.create_task(_wait_taken_over(sequence))
    try:
        await asyncio.wait({work, asked}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            return asked.result()
        work.result()
        return None
    finally:
        work.cancel()
        asked.cancel()
        await asyncio.gather(work, asked, return_exceptions=True)


async def _wait_taken_over(sequence: _Sequence) -> PowerRequest:
    machine = sequence.machine
    while True:
        wanted = await machine.requests.get()
        if can_take_over(wanted.verb, sequence.request.verb):
            return wanted
        told = fail_sequence(wanted.verb.value, "sequence not started: locked", "LOCKED")
        machine.publish(told, wanted.actor)


async def _reboot_after_failure(sequence: _Sequence) -> bool:
    """Stop everything and boot again, whatever the sequence was meant to end in."""
    machine = sequence.machine
    if machine.boot.stage is not Stage.SHUTTING_DOWN:
        machine.set_stage(Stage.REBOOTING)
    await machine.wait(durations.FAILED_SEQUENCE_S, "reboot after a failed sequence")
    await _stop_pods(sequence)
    await _stop_all(sequence)
    return True


async def _drain(sequence: _Sequence) -> None:
    machine, table = sequence.machine, sequence.table
    tending = asyncio.create_task(controlplane.tend(machine, table))
    try:
        await cordon_and_drain(machine, table)
    except DrainError as error:
        raise _TaskError(str(error)) from error
    finally:
        tending.cancel()
        await asyncio.gather(tending, return_exceptions=True)


async def _stop_pods(sequence: _Sequence) -> None:
    await controlplane.stop_pods(sequence.machine, sequence.table)


async def _leave(sequence: _Sequence) -> None:
    if problem := await controlplane.prepare_leave(sequence.machine):
        raise _TaskError(problem)
    await controlplane.leave_etcd(sequence.machine, sequence.table)


async def _stop_services(sequence: _Sequence) -> None:
    machine = sequence.machine
    await controlplane.stop(machine, sequence.table)
    if not sequence.request.is_instant:
        await machine.wait(durations.STOP_S, "stop services")


async def _upgrade(sequence: _Sequence) -> None:
    machine, image = sequence.machine, sequence.request.image
    if image is not None and machine.install is not None:
        await machine.wait(durations.UPGRADE_WRITE_S, "write the other slot")
        machine.install.write(image)


async def _stop_all(sequence: _Sequence) -> None:
    machine = sequence.machine
    machine.boot.services.stop_all(keep=KEPT_SERVICES)
    await controlplane.stop(machine, sequence.table)


async def _wipe_system(sequence: _Sequence) -> None:
    machine, labels = sequence.machine, sequence.request.wipes
    machine.count("machine.wipe")
    if labels & {"*", "EPHEMERAL"}:
        machine.etcd = None
    if "*" in labels:
        machine.install = None
    elif machine.install is not None:
        if "EPHEMERAL" in labels:
            machine.install.has_joined = False
        if "STATE" in labels:
            machine.install.config = None
        if "META" in labels:
            machine.install.meta.clear()


async def _wipe_disks(sequence: _Sequence) -> None:
    sequence.machine.wiped |= sequence.request.wipes_disks


# Tasks without an entry change nothing that anybody sees.
_TASKS: Mapping[str, Callable[[_Sequence], Awaitable[None]]] = {
    "cordonAndDrainNode": _drain,
    "stopAllPods": _stop_pods,
    "removeAllPods": _stop_pods,
    "leaveEtcd": _leave,
    "stopServicesForUpgrade": _stop_services,
    "upgrade": _upgrade,
    "stopAllServices": _stop_all,
    "resetSystemDisk": _wipe_system,
    "resetSystemDiskSpec": _wipe_system,
    "resetUserDisks": _wipe_disks,
}

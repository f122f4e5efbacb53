"""`machine.MachineService/Reset`: which disks and partitions are wiped, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from lab.machines.boot import PowerRequest, Verb
from lab.machines.protos import machine_pb2
from lab.machines.resources_block import VOLUMES
from lab.machines.rpc.route import ADMINS, Call, Route, ask_sequence, unary

__all__ = ["ROUTES"]

_Request = machine_pb2.ResetRequest


async def _reset(call: Call, request: _Request) -> machine_pb2.ResetResponse:
    for problem in (*_check_disks(call, request), *_check_partitions(call, request)):
        raise GRPCError(Status.UNKNOWN, problem)
    labels = frozenset(item.label for item in request.system_partitions_to_wipe if item.wipe)
    spares_system = request.mode == _Request.USER_DISKS
    wanted = PowerRequest(
        Verb.RESET,
        reboots=request.reboot,
        wipes=frozenset() if spares_system else labels or frozenset({"*"}),
        wipes_disks=frozenset(request.user_disks_to_wipe),
        leaves_etcd=request.graceful,
        drains=request.graceful,
    )
    actor = ask_sequence(call, wanted)
    return machine_pb2.ResetResponse(messages=[machine_pb2.Reset(actor_id=actor)])


def _check_disks(call: Call, request: _Request) -> Iterator[str]:
    """Say which disks cannot be wiped, in the order in which Talos looks."""
    if request.user_disks_to_wipe and request.mode == _Request.SYSTEM_DISK:
        yield (
            "reset failed: invalid input, wipe mode SYSTEM_DISK doesn't support "
            "UserDisksToWipe parameter"
        )
    install = call.machine.install
    for path in request.user_disks_to_wipe:
        disk = call.machine.hardware.get_disk(path)
        prefix = f"reset user disk failed: device {path}"
        if disk is None:
            yield f"{prefix} wasn't found"
        elif disk.readonly:
            yield f"{prefix} is readonly"
        elif install is not None and install.disk == disk.dev_path:
            yield f"{prefix} is the system disk"


def _check_partitions(call: Call, request: _Request) -> Iterator[str]:
    if request.system_partitions_to_wipe and request.mode == _Request.USER_DISKS:
        yield (
            "reset failed: invalid input, wipe mode USER_DISKS doesn't support "
            "SystemPartitionsToWipe parameter"
        )
    for item in request.system_partitions_to_wipe:
        if item.label not in VOLUMES:
            yield (
                f'failed to get volume status with label "{item.label}": resource '
                f"VolumeStatuses.block.talos.dev(runtime/{item.label}@undefined) doesn't exist"
            )
        elif call.machine.install is None:
            yield f'failed to reset: volume "{item.label}" is not located'


ROUTES: tuple[Route, ...] = (
    unary(
        "/machine.MachineService/Reset",
        ADMINS,
        (machine_pb2.ResetRequest, machine_pb2.ResetResponse),
        _reset,
        mutates=True,
    ),
)

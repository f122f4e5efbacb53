"""`machine.MachineService` and `machine.LifecycleService`: what ends a boot or changes the next."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from lab.machines import durations
from lab.machines.boot import Install, PowerRequest, Verb
from lab.machines.images import InstallerImage
from lab.machines.protos import lifecycle_pb2, machine_pb2
from lab.machines.rpc.route import ADMINS, OPERATORS, Call, Route, stream, unary

__all__ = ["ROUTES"]


async def _reboot(call: Call, _: machine_pb2.RebootRequest) -> machine_pb2.RebootResponse:
    actor = _ask(call, Verb.REBOOT)
    return machine_pb2.RebootResponse(messages=[machine_pb2.Reboot(actor_id=actor)])


async def _shutdown(call: Call, _: machine_pb2.ShutdownRequest) -> machine_pb2.ShutdownResponse:
    actor = _ask(call, Verb.SHUTDOWN, reboots=False)
    return machine_pb2.ShutdownResponse(messages=[machine_pb2.Shutdown(actor_id=actor)])


async def _reset(call: Call, request: machine_pb2.ResetRequest) -> machine_pb2.ResetResponse:
    labels = frozenset(item.label for item in request.system_partitions_to_wipe if item.wipe)
    wipes_system = request.mode != machine_pb2.ResetRequest.USER_DISKS
    wipes = labels or (frozenset({"*"}) if wipes_system else frozenset())
    actor = _ask(
        call, Verb.RESET, reboots=request.reboot, wipes=wipes, leaves_etcd=request.graceful
    )
    return machine_pb2.ResetResponse(messages=[machine_pb2.Reset(actor_id=actor)])


async def _rollback(call: Call, _: machine_pb2.RollbackRequest) -> machine_pb2.RollbackResponse:
    install = _require_install(call, "system disk not found")
    if install.other_image is None:
        raise GRPCError(Status.UNKNOWN, "no fallback boot entry found")
    install.flip()
    _ask(call, Verb.REBOOT)
    return machine_pb2.RollbackResponse(messages=[machine_pb2.Rollback()])


async def _upgrade_legacy(
    call: Call, request: machine_pb2.UpgradeRequest
) -> machine_pb2.UpgradeResponse:
    install = _require_install(call, "machine is not installed")
    install.write(_read_image(request.image))
    actor = _ask(call, Verb.UPGRADE)
    message = machine_pb2.Upgrade(ack="Upgrade request received", actor_id=actor)
    return machine_pb2.UpgradeResponse(messages=[message])


async def _upgrade(
    call: Call, request: lifecycle_pb2.LifecycleServiceUpgradeRequest
) -> AsyncIterator[lifecycle_pb2.LifecycleServiceUpgradeResponse]:
    install = _require_install(call, "machine is not installed")
    image = _read_image(request.source.image_name)
    yield _tell(f"running Talos installer {image.version}")
    await call.machine.wait(durations.UPGRADE_WRITE_S, "write the other slot")
    install.write(image)
    yield _tell("installation of Talos complete")
    progress = lifecycle_pb2.LifecycleServiceInstallProgress(exit_code=0)
    yield lifecycle_pb2.LifecycleServiceUpgradeResponse(progress=progress)


def _tell(line: str) -> lifecycle_pb2.LifecycleServiceUpgradeResponse:
    progress = lifecycle_pb2.LifecycleServiceInstallProgress(message=line)
    return lifecycle_pb2.LifecycleServiceUpgradeResponse(progress=progress)


def _ask(
    call: Call,
    verb: Verb,
    *,
    reboots: bool = True,
    wipes: frozenset[str] = frozenset(),
    leaves_etcd: bool = False,
) -> str:
    actor = str(uuid.uuid4())
    request = PowerRequest(verb, actor, reboots, wipes, leaves_etcd)
    call.machine.requests.put_nowait(request)
    return actor


def _require_install(call: Call, otherwise: str) -> Install:
    if call.machine.install is None:
        raise GRPCError(Status.FAILED_PRECONDITION, otherwise)
    return call.machine.install


def _read_image(reference: str) -> InstallerImage:
    image = InstallerImage.read(reference)
    if image is None:
        raise GRPCError(Status.INVALID_ARGUMENT, f"the image names no version: {reference}")
    return image


_M = "/machine.MachineService/"
_m = machine_pb2

ROUTES: tuple[Route, ...] = (
    unary(_M + "Reboot", OPERATORS, (_m.RebootRequest, _m.RebootResponse), _reboot, mutates=True),
    unary(
        _M + "Shutdown",
        OPERATORS,
        (_m.ShutdownRequest, _m.ShutdownResponse),
        _shutdown,
        mutates=True,
    ),
    unary(_M + "Reset", ADMINS, (_m.ResetRequest, _m.ResetResponse), _reset, mutates=True),
    unary(
        _M + "Rollback",
        ADMINS,
        (_m.RollbackRequest, _m.RollbackResponse),
        _rollback,
        mutates=True,
    ),
    unary(
        _M + "Upgrade",
        ADMINS,
        (_m.UpgradeRequest, _m.UpgradeResponse),
        _upgrade_legacy,
        mutates=True,
    ),
    stream(
        "/machine.LifecycleService/Upgrade",
        ADMINS,
        (
            lifecycle_pb2.LifecycleServiceUpgradeRequest,
            lifecycle_pb2.LifecycleServiceUpgradeResponse,
        ),
        _upgrade,
        mutates=True,
    ),
)

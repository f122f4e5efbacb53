"""`machine.MachineService` and `machine.LifecycleService`: what ends a boot or changes the next."""

from __future__ import annotations

from collections.abc import AsyncIterator

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from lab.machines import durations
from lab.machines.boot import Install, PowerRequest, Verb
from lab.machines.faults import Fault
from lab.machines.images import InstallerImage
from lab.machines.protos import lifecycle_pb2, machine_pb2
from lab.machines.rpc.route import ADMINS, OPERATORS, Call, Route, ask_sequence, stream, unary

__all__ = ["ROUTES"]


async def _reboot(call: Call, _: machine_pb2.RebootRequest) -> machine_pb2.RebootResponse:
    actor = ask_sequence(call, PowerRequest(Verb.REBOOT))
    return machine_pb2.RebootResponse(messages=[machine_pb2.Reboot(actor_id=actor)])


async def _shutdown(
    call: Call, request: machine_pb2.ShutdownRequest
) -> machine_pb2.ShutdownResponse:
    wanted = PowerRequest(Verb.SHUTDOWN, reboots=False, drains=not request.force)
    actor = ask_sequence(call, wanted)
    return machine_pb2.ShutdownResponse(messages=[machine_pb2.Shutdown(actor_id=actor)])


async def _rollback(call: Call, _: machine_pb2.RollbackRequest) -> machine_pb2.RollbackResponse:
    install = _require_install(call, "system disk not found")
    if install.other_image is None:
        # systemd-boot's, which machines with UEFI boot by.
        raise GRPCError(Status.UNKNOWN, "previous UKI not found")
    install.flip()
    ask_sequence(call, PowerRequest(Verb.REBOOT))
    return machine_pb2.RollbackResponse(messages=[machine_pb2.Rollback()])


async def _upgrade_legacy(
    call: Call, request: machine_pb2.UpgradeRequest
) -> machine_pb2.UpgradeResponse:
    install = _require_install(call, "Talos is not installed")
    image = InstallerImage.read(request.image)
    if image is None:
        raise GRPCError(
            Status.UNKNOWN,
            f'error validating installer image "{request.image}": invalid reference format',
        )
    if not request.force and not request.preserve:
        _validate_etcd(call)
    if request.stage:
        install.staged = image
        actor = ask_sequence(call, PowerRequest(Verb.STAGE_UPGRADE))
    else:
        actor = ask_sequence(call, PowerRequest(Verb.UPGRADE, image=image, drains=True))
    message = machine_pb2.Upgrade(ack="Upgrade request received", actor_id=actor)
    return machine_pb2.UpgradeResponse(messages=[message])


def _validate_etcd(call: Call) -> None:
    """Refuse what would cost the quorum (`ValidateForUpgrade`): only the legacy upgrade asks."""
    data = call.machine.etcd
    if not call.machine.is_control_plane or data is None:
        return
    cluster, problem = data.cluster, ""
    if not cluster.has_quorum:
        problem = "etcdserver: no leader"
    elif len(cluster.members) == 2:  # noqa: PLR2004 # two members survive the loss of none
        problem = "etcd member count(2) is insufficient to maintain quorum if upgrade commences"
    for member in cluster.members.values():
        if not problem and not member.is_started:
            problem = (
                f"etcd member {member.id:016x} is not healthy; all members must be healthy to "
                "perform an upgrade: context deadline exceeded"
            )
    if problem:
        raise GRPCError(Status.UNKNOWN, f"error validating etcd for upgrade: {problem}")


async def _upgrade(
    call: Call, request: lifecycle_pb2.LifecycleServiceUpgradeRequest
) -> AsyncIterator[lifecycle_pb2.LifecycleServiceUpgradeResponse]:
    machine, reference = call.machine, request.source.image_name
    if machine.is_writing:
        raise GRPCError(
            Status.FAILED_PRECONDITION, "another installation/upgrade is already in progress"
        )
    install = _require_install(call, "machine is not installed")
    if not reference:
        raise GRPCError(Status.INVALID_ARGUMENT, "installer image name is required")
    image = InstallerImage.read(reference)
    if image is None or reference not in machine.images:
        raise GRPCError(
            Status.INTERNAL,
            f'upgrade failed: installer image "{reference}" not found in containerd store: '
            f'image "{reference}": not found',
        )
    machine.is_writing = True
    try:
        yield _tell(f"running Talos installer {image.version}")
        await machine.wait(durations.UPGRADE_WRITE_S, "write the other slot")
        if problem := image.find_hop_problem(machine.boot.version):
            yield _tell(f"error: {problem}")
            yield _end(1)
            return
        if machine.has_fault(Fault.INSTALL_FAILS):
            yield _tell("error: failed to write the boot partition: no space left on device")
            yield _end(1)
            return
        install.write(image)
        machine.count("machine.write")
        yield _tell("installation of Talos complete")
        yield _end(0)
    finally:
        machine.is_writing = False


def _end(exit_code: int) -> lifecycle_pb2.LifecycleServiceUpgradeResponse:
    progress = lifecycle_pb2.LifecycleServiceInstallProgress(exit_code=exit_code)
    return lifecycle_pb2.LifecycleServiceUpgradeResponse(progress=progress)


def _tell(line: str) -> lifecycle_pb2.LifecycleServiceUpgradeResponse:
    progress = lifecycle_pb2.LifecycleServiceInstallProgress(message=line)
    return lifecycle_pb2.LifecycleServiceUpgradeResponse(progress=progress)


def _require_install(call: Call, otherwise: str) -> Install:
    if call.machine.install is None:
        raise GRPCError(Status.FAILED_PRECONDITION, otherwise)
    return call.machine.install


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

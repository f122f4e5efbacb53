"""`machine.MachineService`: facts, configuration, services, logs."""

from __future__ import annotations

import difflib
from collections.abc import AsyncIterator

from google.protobuf.empty_pb2 import Empty
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from lab.machines.config import ConfigError, MachineConfig, parse_config, write_problems
from lab.machines.kubeconfig import pack_kubeconfig
from lab.machines.protos import common_pb2, machine_pb2
from lab.machines.rpc.maintenance import OLD_DRY_RUN, check_old_mode, is_old
from lab.machines.rpc.route import (
    ADMINS,
    META_WRITERS,
    OPERATORS,
    READERS,
    Call,
    Route,
    require_control_plane,
    stream,
    unary,
)

__all__ = ["ROUTES"]

_LARGEST_KEY = 255
_Mode = machine_pb2.ApplyConfigurationRequest.Mode
_WITHOUT_REBOOT = "Applied configuration without a reboot"


async def _version(call: Call, _: Empty) -> machine_pb2.VersionResponse:
    # Talos' own builds name commit and Go version; the lab has none to name.
    info = machine_pb2.VersionInfo(
        tag=call.machine.boot.version, sha="lab", go_version="lab", os="linux", arch="amd64"
    )
    message = machine_pb2.Version(
        version=info,
        platform=machine_pb2.PlatformInfo(name="metal", mode="metal"),
        features=machine_pb2.FeaturesInfo(rbac=True),
    )
    return machine_pb2.VersionResponse(messages=[message])


async def _hostname(call: Call, _: Empty) -> machine_pb2.HostnameResponse:
    return machine_pb2.HostnameResponse(
        messages=[machine_pb2.Hostname(hostname=call.machine.hostname)]
    )


async def _memory(call: Call, _: Empty) -> machine_pb2.MemoryResponse:
    total = call.machine.hardware.memory // 1024
    info = machine_pb2.MemInfo(memtotal=total, memfree=total // 2, memavailable=total * 3 // 4)
    return machine_pb2.MemoryResponse(messages=[machine_pb2.Memory(meminfo=info)])


async def _dmesg(call: Call, request: machine_pb2.DmesgRequest) -> AsyncIterator[common_pb2.Data]:
    console = call.machine.boot.console
    shown = len(console) if request.follow and request.tail else 0
    while True:
        for line in console[shown:]:
            yield common_pb2.Data(bytes=f"user: notice: [talos] {line}\n".encode())
        shown = len(console)
        if not request.follow:
            return
        await call.machine.changed.wait(call.machine.poll_s())


async def _logs(call: Call, request: machine_pb2.LogsRequest) -> AsyncIterator[common_pb2.Data]:
    service = call.machine.boot.services.get(request.id)
    if service is None:
        raise GRPCError(Status.INTERNAL, f'log "{request.id}" was not registered')
    for event in service.events:
        yield common_pb2.Data(bytes=f"{event.state}: {event.msg}\n".encode())


async def _events(
    call: Call, request: machine_pb2.EventsRequest
) -> AsyncIterator[machine_pb2.Event]:
    # The hello that tells the client that the stream has begun.
    yield machine_pb2.Event(actor_id=request.with_actor_id)
    async for event in call.machine.boot.events.listen(request, call.machine.clock.now()):
        yield event.to_message()


async def _apply(
    call: Call, request: machine_pb2.ApplyConfigurationRequest
) -> machine_pb2.ApplyConfigurationResponse:
    machine = call.machine
    if machine.applied.is_set() and call.in_maintenance:
        raise GRPCError(
            Status.FAILED_PRECONDITION, "another apply configuration is already in progress"
        )
    if not call.in_maintenance and "os:admin" not in call.roles:
        raise GRPCError(Status.PERMISSION_DENIED, "not authorized")
    if is_old(machine):
        return _apply_in_old_maintenance(call, request)
    config = _check_config(call, request.data)
    mode, details = _choose_mode(call, request.mode, config)
    if request.dry_run:
        details = f"Dry run summary:\n{details} (skipped in dry-run).\n{_diff(call, config)}"
    elif mode == _Mode.TRY:
        raise GRPCError(Status.UNIMPLEMENTED, "the lab does not serve the mode `try`")
    else:
        _store(call, config, mode)
    message = machine_pb2.ApplyConfiguration(mode=mode, mode_details=details)
    return machine_pb2.ApplyConfigurationResponse(messages=[message])


def _apply_in_old_maintenance(
    call: Call, request: machine_pb2.ApplyConfigurationRequest
) -> machine_pb2.ApplyConfigurationResponse:
    """Answer as Talos 1.12 and older do: the only detail is that a dry run was one."""
    check_old_mode(request.mode)
    config = _check_config(call, request.data)
    if not request.dry_run:
        _store(call, config, request.mode)
    details = OLD_DRY_RUN if request.dry_run else ""
    message = machine_pb2.ApplyConfiguration(mode_details=details)
    return machine_pb2.ApplyConfigurationResponse(messages=[message])


def _check_config(call: Call, raw: bytes) -> MachineConfig:
    try:
        config = parse_config(raw)
    except ConfigError as error:
        raise GRPCError(Status.INVALID_ARGUMENT, str(error)) from error
    problem = config.find_install_problem(call.machine.hardware.disks)
    if call.machine.install is None and problem:
        raise GRPCError(Status.INVALID_ARGUMENT, write_problems([problem]))
    return config


def _choose_mode(call: Call, asked: _Mode, config: MachineConfig) -> tuple[_Mode, str]:
    """Choose what Talos 1.13 would do: AUTO reboots only for what cannot go live."""
    if asked == _Mode.STAGED:
        return asked, "Staged configuration to be applied after the next reboot"
    active = call.machine.config
    if call.in_maintenance or active is None or active.machine_type == config.machine_type:
        return (asked if asked == _Mode.TRY else _Mode.NO_REBOOT), _WITHOUT_REBOOT
    if asked in {_Mode.NO_REBOOT, _Mode.TRY}:
        text = (
            f"this config change can't be applied in immediate mode\ndiff:\n{_diff(call, config)}"
        )
        raise GRPCError(Status.INVALID_ARGUMENT, text)
    return _Mode.REBOOT, "Applied configuration with a reboot"


def _store(call: Call, config: MachineConfig, mode: _Mode) -> None:
    machine = call.machine
    machine.count("machine.apply")
    if call.in_maintenance:
        machine.pending = config
        machine.applied.set()
        return
    if machine.install is not None:
        machine.install.config = config
    if mode == _Mode.NO_REBOOT:
        machine.activate(config)
        machine.changed.ring()
    elif mode == _Mode.REBOOT:
        machine.request_reboot()


def _diff(call: Call, config: MachineConfig) -> str:
    active = call.machine.config
    old = active.raw.decode().splitlines() if active else []
    lines = difflib.unified_diff(old, config.raw.decode().splitlines(), "a", "b", lineterm="")
    return "Config diff:\n\n" + ("\n".join(lines) or "No changes.")


async def _kubeconfig(call: Call, _: Empty) -> AsyncIterator[common_pb2.Data]:
    require_control_plane(call, "kubeconfig")
    config = call.machine.config
    if config is None or not config.kubernetes_ca_key:
        raise GRPCError(Status.FAILED_PRECONDITION, "k8s API server CA config is not set")
    call.machine.clock.ledger.count("kubeconfig.issued")
    server = call.table.find_url(config.endpoint)
    yield common_pb2.Data(bytes=pack_kubeconfig(config, server))


async def _list_services(call: Call, _: Empty) -> machine_pb2.ServiceListResponse:
    services = [service.to_message() for service in call.machine.boot.services.get_all()]
    return machine_pb2.ServiceListResponse(messages=[machine_pb2.ServiceList(services=services)])


async def _start_service(
    call: Call, request: machine_pb2.ServiceStartRequest
) -> machine_pb2.ServiceStartResponse:
    _require_service(call, request.id)
    call.machine.boot.services.start(request.id)
    resp = f"Service {request.id!r} started".replace("'", '"')
    return machine_pb2.ServiceStartResponse(messages=[machine_pb2.ServiceStart(resp=resp)])


async def _stop_service(
    call: Call, request: machine_pb2.ServiceStopRequest
) -> machine_pb2.ServiceStopResponse:
    _require_service(call, request.id)
    call.machine.boot.services.set(request.id, "Finished", "Service finished successfully")
    resp = f"Service {request.id!r} stopped".replace("'", '"')
    return machine_pb2.ServiceStopResponse(messages=[machine_pb2.ServiceStop(resp=resp)])


async def _restart_service(
    call: Call, request: machine_pb2.ServiceRestartRequest
) -> machine_pb2.ServiceRestartResponse:
    _require_service(call, request.id)
    call.machine.boot.services.start(request.id)
    resp = f"Service {request.id!r} restarted".replace("'", '"')
    return machine_pb2.ServiceRestartResponse(messages=[machine_pb2.ServiceRestart(resp=resp)])


def _require_service(call: Call, name: str) -> None:
    if call.machine.boot.services.get(name) is None:
        raise GRPCError(Status.UNKNOWN, f'service "{name}" is not registered')


def _read_meta(call: Call, key: int) -> dict[int, bytes]:
    """Find META's keys, which live on the system disk."""
    if key > _LARGEST_KEY:
        raise GRPCError(Status.INVALID_ARGUMENT, "key must be a uint8")
    return call.machine.install.meta if call.machine.install else {}


async def _write_meta(
    call: Call, request: machine_pb2.MetaWriteRequest
) -> machine_pb2.MetaWriteResponse:
    _read_meta(call, request.key)[request.key] = request.value
    return machine_pb2.MetaWriteResponse(messages=[machine_pb2.MetaWrite()])


async def _delete_meta(
    call: Call, request: machine_pb2.MetaDeleteRequest
) -> machine_pb2.MetaDeleteResponse:
    if _read_meta(call, request.key).pop(request.key, None) is None:
        raise GRPCError(Status.NOT_FOUND, "meta key not found")
    return machine_pb2.MetaDeleteResponse(messages=[machine_pb2.MetaDelete()])


_M = "/machine.MachineService/"
_m = machine_pb2

ROUTES: tuple[Route, ...] = (
    unary(_M + "Version", READERS, (Empty, _m.VersionResponse), _version),
    unary(_M + "Hostname", READERS, (Empty, _m.HostnameResponse), _hostname),
    unary(_M + "Memory", READERS, (Empty, _m.MemoryResponse), _memory),
    stream(_M + "Dmesg", READERS, (_m.DmesgRequest, common_pb2.Data), _dmesg),
    stream(_M + "Logs", READERS, (_m.LogsRequest, common_pb2.Data), _logs),
    stream(_M + "Events", READERS, (_m.EventsRequest, _m.Event), _events),
    # For readers in maintenance only; the handler checks.
    unary(
        _M + "ApplyConfiguration",
        ADMINS | {"os:reader"},
        (_m.ApplyConfigurationRequest, _m.ApplyConfigurationResponse),
        _apply,
        mutates=True,
    ),
    stream(_M + "Kubeconfig", ADMINS, (Empty, common_pb2.Data), _kubeconfig),
    unary(_M + "ServiceList", READERS, (Empty, _m.ServiceListResponse), _list_services),
    unary(
        _M + "ServiceStart",
        OPERATORS,
        (_m.ServiceStartRequest, _m.ServiceStartResponse),
        _start_service,
        mutates=True,
    ),
    unary(
        _M + "ServiceStop",
        OPERATORS,
        (_m.ServiceStopRequest, _m.ServiceStopResponse),
        _stop_service,
        mutates=True,
    ),
    unary(
        _M + "ServiceRestart",
        OPERATORS,
        (_m.ServiceRestartRequest, _m.ServiceRestartResponse),
        _restart_service,
        mutates=True,
    ),
    unary(
        _M + "MetaWrite",
        META_WRITERS,
        (_m.MetaWriteRequest, _m.MetaWriteResponse),
        _write_meta,
        mutates=True,
    ),
    unary(
        _M + "MetaDelete",
        META_WRITERS,
        (_m.MetaDeleteRequest, _m.MetaDeleteResponse),
        _delete_meta,
        mutates=True,
    ),
)

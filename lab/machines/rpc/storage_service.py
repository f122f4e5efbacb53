"""`storage.StorageService` and `time.TimeService`."""

from __future__ import annotations

from google.protobuf.empty_pb2 import Empty
from google.protobuf.timestamp_pb2 import Timestamp
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from lab.machines.faults import Fault
from lab.machines.hardware import Disk
from lab.machines.protos import storage_pb2, time_pb2
from lab.machines.rpc.route import READERS, Call, Route, unary

__all__ = ["ROUTES"]

_SERVER = "time.cloudflare.com"  # Talos' default


async def _disks(call: Call, _: Empty) -> storage_pb2.DisksResponse:
    system = call.machine.install.disk if call.machine.install else ""
    disks = [
        storage_pb2.Disk(
            size=disk.size,
            model=disk.model,
            device_name=disk.dev_path,
            name=disk.name,
            serial=disk.serial,
            modalias=disk.modalias,
            uuid=disk.uuid,
            wwid=disk.wwid,
            type=_choose_type(disk),
            bus_path=disk.bus_path,
            system_disk=disk.dev_path == system,
            subsystem="/sys/class/block",
            readonly=disk.readonly,
        )
        for disk in call.machine.hardware.disks
    ]
    return storage_pb2.DisksResponse(messages=[storage_pb2.Disks(disks=disks)])


def _choose_type(disk: Disk) -> storage_pb2.Disk.DiskType:
    if disk.cdrom:
        return storage_pb2.Disk.CD
    if disk.rotational:
        return storage_pb2.Disk.HDD
    transports = {"nvme": storage_pb2.Disk.NVME, "mmc": storage_pb2.Disk.SD}
    return transports.get(disk.transport, storage_pb2.Disk.SSD)


async def _time(call: Call, _: Empty) -> time_pb2.TimeResponse:
    return _tell_time(call, _SERVER)


async def _check_time(call: Call, request: time_pb2.TimeRequest) -> time_pb2.TimeResponse:
    return _tell_time(call, request.server)


def _tell_time(call: Call, server: str) -> time_pb2.TimeResponse:
    if call.machine.has_fault(Fault.TIME_NOT_SYNCED):
        raise GRPCError(
            Status.UNKNOWN, f"error querying NTP server {server!r}: i/o timeout".replace("'", '"')
        )
    now = Timestamp()
    now.FromDatetime(call.machine.clock.now())
    message = time_pb2.Time(server=server, localtime=now, remotetime=now)
    return time_pb2.TimeResponse(messages=[message])


ROUTES: tuple[Route, ...] = (
    unary("/storage.StorageService/Disks", READERS, (Empty, storage_pb2.DisksResponse), _disks),
    unary("/time.TimeService/Time", READERS, (Empty, time_pb2.TimeResponse), _time),
    unary(
        "/time.TimeService/TimeCheck",
        READERS,
        (time_pb2.TimeRequest, time_pb2.TimeResponse),
        _check_time,
    ),
)

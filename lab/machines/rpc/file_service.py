"""`machine.MachineService`: the folders of a machine, as far as the lab's machines have any."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from lab.machines.archive import pack_file
from lab.machines.machine import Machine
from lab.machines.protos import common_pb2, machine_pb2
from lab.machines.recovery import dump_database
from lab.machines.rpc.route import ADMINS, READERS, Call, Route, stream
from lab.snapshots import CHECKSUM_SIZE

__all__ = ["ROUTES"]

_ETCD_DATA = "/var/lib/etcd"
_DATABASE = f"{_ETCD_DATA}/member/snap/db"
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_CHUNK = 32 * 1024  # bytes
_FOLDER_MODE = 0o755
# Go's os.FileMode, which is what goes over the wire: the type is in the high bits.
_GO_DIR = 1 << 31


async def _list(
    call: Call, request: machine_pb2.ListRequest
) -> AsyncIterator[machine_pb2.FileInfo]:
    """List a folder and what is directly in it; the folder itself comes first, as `.`."""
    root = "/" + request.root.strip("/")
    names = _names_in(call.machine, root)
    if names is None:
        # What os.Lstat says; machined passes it on without a code of its own.
        raise GRPCError(Status.UNKNOWN, f"lstat {root}: no such file or directory")
    for name in (".", *names):
        path = root if name == "." else f"{root.rstrip('/')}/{name}"
        yield machine_pb2.FileInfo(
            name=path,
            relative_name=name,
            mode=_GO_DIR | _FOLDER_MODE,
            modified=int(call.machine.clock.now().timestamp()),
            is_dir=True,
        )


async def _read(call: Call, request: machine_pb2.ReadRequest) -> AsyncIterator[common_pb2.Data]:
    content = await _read_file(call, request.path)
    if content is None:
        raise GRPCError(Status.UNKNOWN, f"stat {request.path}: no such file or directory")
    for start in range(0, len(content), _CHUNK):
        yield common_pb2.Data(bytes=content[start : start + _CHUNK])


async def _copy(call: Call, request: machine_pb2.CopyRequest) -> AsyncIterator[common_pb2.Data]:
    """Stream one file as tar.gz; a failure is the last message, as the archive has begun."""
    path = request.root_path
    content = await _read_file(call, path)
    if content is None:
        missing = common_pb2.Metadata(error=f"lstat {path}: no such file or directory")
        yield common_pb2.Data(metadata=missing)
        return
    packed = pack_file(path.rpartition("/")[2], content)
    for start in range(0, len(packed), _CHUNK):
        yield common_pb2.Data(bytes=packed[start : start + _CHUNK])


async def _read_file(call: Call, path: str) -> bytes | None:
    """Read a file of the machine; None when there is none."""
    machine = call.machine
    if path == _BOOT_ID:
        return f"{machine.boot.id}\n".encode()
    if path == _DATABASE and machine.etcd is not None:
        # What a data directory holds has no checksum behind it, unlike a snapshot.
        database = await dump_database(machine.etcd.member, machine.etcd.cluster, call.table)
        return database[:-CHECKSUM_SIZE]
    return None


def _names_in(machine: Machine, root: str) -> Sequence[str] | None:
    """Return the names in a folder; None when there is no such folder now."""
    # The data directory is on the EPHEMERAL volume, which etcd's service waits for.
    has_data_folder = machine.boot.services.get("etcd") is not None
    folders: dict[str, Sequence[str]] = {
        "/": ("etc", "proc", "var"),
        "/var": ("lib",) if has_data_folder else (),
        "/var/lib": ("etcd",) if has_data_folder else (),
    }
    if root == _ETCD_DATA:
        if not has_data_folder:
            return None
        return ("member",) if machine.etcd is not None else ()
    if machine.etcd is not None:
        folders |= {f"{_ETCD_DATA}/member": ("snap", "wal"), f"{_ETCD_DATA}/member/snap": ("db",)}
    return folders.get(root)


_M = "/machine.MachineService/"

ROUTES: tuple[Route, ...] = (
    stream(_M + "Read", ADMINS, (machine_pb2.ReadRequest, common_pb2.Data), _read),
    stream(_M + "Copy", ADMINS, (machine_pb2.CopyRequest, common_pb2.Data), _copy),
    stream(
        "/machine.MachineService/List",
        READERS,
        (machine_pb2.ListRequest, machine_pb2.FileInfo),
        _list,
    ),
)

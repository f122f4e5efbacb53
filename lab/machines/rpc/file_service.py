"""`machine.MachineService`: the folders of a machine, as far as the lab's machines have any."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from lab.machines.machine import Machine
from lab.machines.protos import machine_pb2
from lab.machines.rpc.route import READERS, Call, Route, stream

__all__ = ["ROUTES"]

_ETCD_DATA = "/var/lib/etcd"
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
    return folders.get(root)


ROUTES: tuple[Route, ...] = (
    stream(
        "/machine.MachineService/List",
        READERS,
        (machine_pb2.ListRequest, machine_pb2.FileInfo),
        _list,
    ),
)

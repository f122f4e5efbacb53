"""What a machine in maintenance does not serve by its version.

Since Talos 1.13 maintenance is the usual API for readers. Before, it was a small server of its own
(`internal/app/maintenance/server.go` of those lines): configurations, disks, resources, and a few
calls for whoever comes over SideroLink, to whom the lab's clients never belong.
"""

from __future__ import annotations

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from lab.machines.machine import Machine
from lab.machines.protos import machine_pb2

__all__ = ["OLD_DRY_RUN", "check_old_mode", "find_refusal", "is_old"]

_Mode = machine_pb2.ApplyConfigurationRequest.Mode

OLD_DRY_RUN = (
    "Dry run summary:\nNode is running in maintenance mode and does not have a config yet."
)
_FIRST_MINOR = 13  # of the one API for everything
_SERVED = frozenset(
    {
        "/machine.MachineService/ApplyConfiguration",
        "/storage.StorageService/Disks",
        "/cosi.resource.State/Get",
        "/cosi.resource.State/List",
        "/cosi.resource.State/Watch",
    }
)
_OVER_SIDEROLINK = frozenset({"Version", "Upgrade", "Reset", "MetaWrite", "MetaDelete"})
_SERVICES = frozenset({"machine.MachineService", "storage.StorageService", "cosi.resource.State"})
_OLD_MODES = frozenset({_Mode.AUTO, _Mode.REBOOT, _Mode.TRY})


def is_old(machine: Machine) -> bool:
    """Tell whether a machine is in the maintenance mode of Talos 1.12 and older."""
    minor = machine.boot.image.minor
    return machine.config is None and minor is not None and minor < _FIRST_MINOR


def find_refusal(machine: Machine, path: str) -> GRPCError | None:
    """Find how a call is refused for what the machine's maintenance mode serves, if it is."""
    if not is_old(machine) or path in _SERVED:
        return None
    service, _, method = path.removeprefix("/").partition("/")
    if service not in _SERVICES:
        return GRPCError(Status.UNIMPLEMENTED, f"unknown service {service}")
    if method in _OVER_SIDEROLINK:
        return GRPCError(Status.UNIMPLEMENTED, "API is not implemented in maintenance mode")
    return GRPCError(Status.UNIMPLEMENTED, f"method {method} not implemented")


def check_old_mode(mode: _Mode) -> None:
    """Refuse a mode of ApplyConfiguration that the old maintenance mode does not know.

    Raises:
        GRPCError: UNIMPLEMENTED.
    """
    if mode not in _OLD_MODES:
        word = _Mode.Name(mode).lower().replace("_", "-")
        raise GRPCError(
            Status.UNIMPLEMENTED,
            f"apply configuration --mode='{word}' is not supported in maintenance mode",
        )

"""talosctl: what a machine says and the few changes that are asked of it.

May live here: calls of talosctl, their outputs as values, their errors as kinds. May not: which
machine should be what, retries, and any memory of earlier answers.
"""

from __future__ import annotations

from lifecycle.drivers.talosctl.client import ApplyResult, Talosctl
from lifecycle.drivers.talosctl.failures import Failure, TalosctlError, classify
from lifecycle.drivers.talosctl.values import (
    DiscoveredVolume,
    Disk,
    EtcdMember,
    Link,
    MachineStatus,
    Resource,
    Service,
    SystemInformation,
    TalosVersion,
    UnmetCondition,
)

__all__ = [
    "ApplyResult",
    "DiscoveredVolume",
    "Disk",
    "EtcdMember",
    "Failure",
    "Link",
    "MachineStatus",
    "Resource",
    "Service",
    "SystemInformation",
    "TalosVersion",
    "Talosctl",
    "TalosctlError",
    "UnmetCondition",
    "classify",
]

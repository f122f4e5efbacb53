"""What a simulated machine can be made to do wrong, by name."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from enum import StrEnum

from lab.machines.hardware import Disk, Hardware

__all__ = ["Fault", "change_hardware"]


class Fault(StrEnum):
    """A switch on a machine; off unless `Machine.set_fault` turns it on."""

    UNREACHABLE = "unreachable"
    """Nothing listens: connection refused."""
    SILENT = "silent"
    """The connection is accepted and nothing ever answers: a handshake that times out."""
    FOREIGN_CLUSTER = "foreign-cluster"
    """It runs as a member of another cluster, under that cluster's CA."""
    TWO_DISKS = "two-disks"
    """A second disk like the first: a selector by size, model or type matches both."""
    NO_DISK = "no-disk"
    """Only the boot medium is there: no disk selector matches."""
    DISK_WITH_DATA = "disk-with-data"
    """The disk to install to holds somebody's partitions."""
    TIME_NOT_SYNCED = "time-not-synced"
    """The clock has no server to follow."""
    CLOCK_AHEAD = "clock-ahead"
    """The clock is a day ahead, and so is the certificate of maintenance mode."""
    SLOW_INSTALL = "slow-install"
    """Pulling the installer takes ten times as long."""
    INSTALL_FAILS = "install-fails"
    """The installer fails: back to maintenance; an upgrade ends with exit code 1."""
    SLOW_BOOTSTRAP = "slow-bootstrap"
    """`bootstrap is not available yet` for two minutes after boot."""
    OLD_VERSION = "old-version"
    """A reboot into another version falls back to the old one, silently."""
    LOST_STATE = "lost-state"
    """A reboot finds no machine config and ends in maintenance."""
    ETCD_LEARNER = "etcd-learner"
    """The member joins and is never promoted."""


def change_hardware(hardware: Hardware, faults: Collection[Fault]) -> Hardware:
    """Give a machine the disks that its faults leave or add."""
    mediums = tuple(disk for disk in hardware.disks if disk.cdrom)
    disks = tuple(disk for disk in hardware.disks if not disk.cdrom)
    if Fault.NO_DISK in faults:
        disks = ()
    if Fault.DISK_WITH_DATA in faults and disks:
        disks = (replace(disks[0], holds=disks[0].holds or "ntfs"), *disks[1:])
    if Fault.TWO_DISKS in faults and disks:
        disks = (disks[0], _make_twin(disks[0]), *disks[1:])
    return replace(hardware, disks=disks + mediums)


def _make_twin(disk: Disk) -> Disk:
    # Every property is the same, as with a disk that is seen over two paths.
    names = {"sda": "sdb", "nvme0n1": "nvme1n1", "mmcblk0": "mmcblk1"}
    return replace(disk, name=names.get(disk.name, f"{disk.name}x"))

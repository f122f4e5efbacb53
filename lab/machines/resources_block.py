"""COSI resources about disks: what the hardware is, what is on it, what Talos made of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lab.machines.hardware import Disk
from lab.machines.machine import Machine
from lab.machines.storage import SYSTEM_BYTES
from lab.machines.table import MachineTable
from lab.machines.values import Json, Value

__all__ = ["VOLUMES", "list_discovered", "list_disks", "list_system_disk", "list_volumes"]

VOLUMES = ("META", "STATE", "EPHEMERAL")  # Talos' own


def list_disks(machine: Machine, _: MachineTable) -> Iterator[Value]:
    """List block devices."""
    for disk in machine.hardware.disks:
        spec: dict[str, Json] = {
            "dev_path": disk.dev_path,
            "size": disk.size,
            "pretty_size": _prettify(disk.size),
            "io_size": 512,
            "sector_size": 512,
            "readonly": disk.readonly,
            "cdrom": disk.cdrom,
            "model": disk.model,
            "serial": disk.serial,
            "modalias": disk.modalias,
            "wwid": disk.wwid,
            "uuid": disk.uuid,
            "bus_path": disk.bus_path,
            "sub_system": "/sys/class/block",
            "transport": disk.transport,
            "rotational": disk.rotational,
            "symlinks": list(disk.symlinks),
        }
        optional = (
            "model",
            "serial",
            "modalias",
            "wwid",
            "uuid",
            "transport",
            "rotational",
            "symlinks",
        )
        yield Value(disk.name, {k: v for k, v in spec.items() if v or k not in optional})


def list_discovered(machine: Machine, _: MachineTable) -> Iterator[Value]:
    """List what was found on the disks: partition tables and file systems."""
    for disk in machine.hardware.disks:
        partitions = _find_partitions(machine, disk)
        has_table = bool(partitions) and disk.transport != ""
        yield Value(
            disk.name,
            {
                "dev_path": disk.dev_path,
                "type": "disk",
                "device_path": f"/devices{disk.bus_path}/{disk.name}",
                "offset": 0,
                "size": disk.size,
                "pretty_size": _prettify(disk.size),
                "sector_size": 512,
                "io_size": 512,
                "name": "gpt" if has_table else "",
            },
        )
        separator = "p" if disk.name[-1].isdigit() else ""
        for index, (filesystem, label) in enumerate(partitions, 1):
            name = f"{disk.name}{separator}{index}"
            yield Value(
                name,
                {
                    "dev_path": f"/dev/{name}",
                    "type": "partition",
                    "device_path": f"/devices{disk.bus_path}/{disk.name}/{name}",
                    "parent": disk.name,
                    "parent_dev_path": disk.dev_path,
                    "offset": 1_048_576,
                    "size": disk.size // len(partitions),
                    "pretty_size": _prettify(disk.size // len(partitions)),
                    "name": filesystem,
                    "label": label,
                    "partition_label": label,
                    "partition_index": index,
                },
            )


def _find_partitions(machine: Machine, disk: Disk) -> Sequence[tuple[str, str]]:
    if machine.install is not None and machine.install.disk == disk.dev_path:
        return (
            ("vfat", "EFI"),
            ("talosmeta", "META"),
            ("xfs", "STATE"),
            ("xfs", "EPHEMERAL"),
        )
    return ((disk.holds, "DATA"),) if disk.holds else ()


def list_system_disk(machine: Machine, _: MachineTable) -> Iterator[Value]:
    """Name the disk that Talos is installed on."""
    if machine.install is not None and machine.install.disk:
        path = machine.install.disk
        yield Value("system-disk", {"diskID": path.removeprefix("/dev/"), "devPath": path})


def list_volumes(machine: Machine, _: MachineTable) -> Iterator[Value]:
    """List Talos' own volumes."""
    disk = machine.hardware.get_disk(machine.install.disk) if machine.install else None
    for name in VOLUMES:
        spec: dict[str, Json] = {"phase": "ready" if disk else "missing", "type": "partition"}
        if disk:
            size = disk.size - SYSTEM_BYTES if name == "EPHEMERAL" else 100_000_000
            spec |= {"location": disk.dev_path, "size": size, "prettySize": _prettify(size)}
        yield Value(name, spec)


def _prettify(size: int) -> str:
    """Write a size as go-humanize does: two digits, decimal units."""
    amount, units = float(size), ["B", "kB", "MB", "GB", "TB", "PB"]
    while amount >= 1000 and len(units) > 1:  # noqa: PLR2004 # decimal units
        amount, units = amount / 1000, units[1:]
    return f"{amount:.1f} {units[0]}" if amount < 10 else f"{amount:.0f} {units[0]}"  # noqa: PLR2004

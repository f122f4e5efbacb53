"""What a machine is made of, and which of its disks an install selector means.

Sources: `machine.install` of Talos v1.13.9 (`DiskMatchExpression`, its tests), Disks.block and
LinkStatuses.net as `talosctl get` prints them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from uuid import UUID

__all__ = ["Disk", "DiskSelector", "Hardware", "Nic", "derive_hardware", "parse_size"]

_UNITS: Mapping[str, int] = {
    "": 1,
    "b": 1,
    **{f"{unit}{end}": 1000**power for power, unit in enumerate("kmgtp", 1) for end in ("", "b")},
    **{f"{unit}i{end}": 1024**power for power, unit in enumerate("kmgtp", 1) for end in ("", "b")},
}
# cel-go breaks the line after an operator that would end at this column or later, counting the
# operator as it names it, `_&&_` (parser/unparser.go).
_EXPRESSION_WIDTH = 80
_OPERATOR = len("_&&_")
_DEFAULT_SIZE = 256_000_000_000  # bytes; a common NVMe disk
_DEFAULT_MEMORY = 16 * 1024**3  # bytes


@dataclass(frozen=True, slots=True)
class Disk:
    """A block device; `size` in bytes. `holds` names what is on it, "" when empty."""

    name: str
    size: int
    model: str = "LAB DISK"
    serial: str = ""
    wwid: str = ""
    uuid: str = ""
    modalias: str = "scsi:t-0x00"
    bus_path: str = "/pci0000:00/0000:00:1f.2/ata1"
    transport: str = "sata"
    rotational: bool = False
    readonly: bool = False
    cdrom: bool = False
    holds: str = ""
    symlinks: tuple[str, ...] = ()

    @property
    def dev_path(self) -> str:
        """Path of the device node."""
        return f"/dev/{self.name}"

    def has_path(self, path: str) -> bool:
        """Tell whether `path` is this device, or a link to it."""
        return path == self.dev_path or path in self.symlinks


@dataclass(frozen=True, slots=True)
class Nic:
    """A network interface; `mac` in lower case with colons."""

    name: str
    mac: str
    driver: str = "virtio_net"


@dataclass(frozen=True, slots=True)
class Hardware:
    """One machine's inventory; `memory` in bytes."""

    uuid: str
    serial: str
    disks: tuple[Disk, ...]
    nics: tuple[Nic, ...]
    memory: int = _DEFAULT_MEMORY
    cpus: int = 4
    manufacturer: str = "Lab"
    product: str = "Simulated"
    has_known_disks: bool = False  # else they are a guess

    def wipe(self, paths: Collection[str]) -> Hardware:
        """Take what is on some disks off them, by device path."""
        disks = (replace(disk, holds="") if disk.dev_path in paths else disk for disk in self.disks)
        return replace(self, disks=tuple(disks))

    def get_disk(self, path: str) -> Disk | None:
        """Find a disk by its device path, or a link to it."""
        return next((disk for disk in self.disks if disk.has_path(path)), None)


@dataclass(frozen=True, slots=True)
class DiskSelector:
    """`machine.install.diskSelector`: every given field must match; `*` is the only wildcard.

    Raises:
        ValueError: the size cannot be read.
    """

    size: str = ""
    model: str = ""
    serial: str = ""
    modalias: str = ""
    uuid: str = ""
    wwid: str = ""
    type: str = ""
    bus_path: str = ""

    def __post_init__(self) -> None:
        if self.size:
            _split_size(self.size)

    def find_disks(self, disks: Sequence[Disk]) -> tuple[Disk, ...]:
        """Find every disk that matches, in the machine's order; Talos installs to the first."""
        return tuple(disk for disk in disks if self._matches(disk))

    def write_expression(self) -> str:
        """Write the CEL expression that Talos names in `no disks matched the expression: …`."""
        lines = [""]
        terms = self._write_terms()
        for index, term in enumerate(terms):
            lines[-1] += term
            if index == len(terms) - 1:
                break
            if len(lines[-1]) + _OPERATOR >= _EXPRESSION_WIDTH:
                lines[-1] += " &&"
                lines.append("")
            else:
                lines[-1] += " && "
        return "\n".join(lines)

    def _matches(self, disk: Disk) -> bool:
        if not disk.transport or disk.readonly or disk.cdrom:
            return False
        return (
            _size_matches(self.size, disk.size)
            and all(_glob_matches(pattern, value) for pattern, value in self._globs(disk))
            and _type_matches(self.type, disk)
        )

    def _globs(self, disk: Disk) -> tuple[tuple[str, str], ...]:
        return (
            (self.uuid, disk.uuid),
            (self.wwid, disk.wwid),
            (self.model, disk.model),
            (self.serial, disk.serial),
            (self.modalias, disk.modalias),
            (self.bus_path, disk.bus_path),
        )

    def _write_terms(self) -> list[str]:
        terms = []
        if self.size:
            operator, size = _split_size(self.size)
            terms.append(f"disk.size {operator} {size}u")
        for field, value in (
            ("uuid", self.uuid),
            ("wwid", self.wwid),
            ("model", self.model),
            ("serial", self.serial),
            ("modalias", self.modalias),
        ):
            if value:
                terms.append(f'glob("{value}", disk.{field})')
        terms.append('disk.transport != ""')
        kinds = {
            "nvme": 'disk.transport == "nvme"',
            "sd": 'disk.transport == "mmc"',
            "hdd": "disk.rotational",
            "ssd": "!disk.rotational",
        }
        if self.type in kinds:
            terms.append(kinds[self.type])
        if self.bus_path:
            terms.append(f'glob("{self.bus_path}", disk.bus_path)')
        return [*terms, "!disk.readonly", "!disk.cdrom"]


def parse_size(text: str) -> int:
    """Read a size such as `1600GB` or `4 GiB` into bytes; decimal and binary units differ.

    Raises:
        ValueError: the text is no size.
    """
    found = re.fullmatch(r"\s*([0-9.]+)\s*([a-zA-Z]*)\s*", text)
    if found is None or found[2].lower() not in _UNITS:
        message = f"size cannot be read: `{text}`"
        raise ValueError(message)
    return int(float(found[1]) * _UNITS[found[2].lower()])


def derive_hardware(
    name: str,
    *,
    disk: str = "",
    selector: DiskSelector | None = None,
    interface: str = "eth0",
    mac: str = "",
    memory: int = _DEFAULT_MEMORY,
) -> Hardware:
    """Make the machine that a node's install disk or selector resolves on, to exactly one disk.

    Everything is derived from `name`, so the same node is the same machine in every rehearsal.
    Beside the disk there is a CD-ROM drive, which no selector may match.
    """
    digest = sha256(name.encode()).hexdigest()
    hexes = [digest[index : index + 2] for index in range(0, 12, 2)]
    cdrom = Disk(
        name="sr0",
        size=314_572_800,
        model="LAB DVD",
        modalias="scsi:t-0x05",
        bus_path="/pci0000:00/0000:00:1f.2/ata2",
        readonly=True,
        cdrom=True,
    )
    return Hardware(
        uuid=str(UUID(digest[:32])),
        serial=f"LAB{digest[:9].upper()}",
        # 02 marks a locally administered unicast address.
        nics=(Nic(interface, mac.lower() or ":".join(["02", *hexes[1:]])),),
        disks=(_derive_disk(digest, disk, selector or DiskSelector()), cdrom),
        memory=memory,
    )


def _derive_disk(digest: str, path: str, selector: DiskSelector) -> Disk:
    transport = {"nvme": "nvme", "sd": "mmc"}.get(
        selector.type, "nvme" if path.startswith("/dev/nvme") else "sata"
    )
    default_name = {"nvme": "nvme0n1", "mmc": "mmcblk0"}.get(transport, "sda")
    # /dev/sdx is a device, /dev/disk/by-id/… a link to one.
    plain = path.removeprefix("/dev/")
    is_link = "/" in plain
    return Disk(
        name=default_name if is_link or not plain else plain,
        size=_derive_size(selector.size),
        model=_fill_glob(selector.model) or "LAB SSD 256",
        serial=_fill_glob(selector.serial) or f"S{digest[:12].upper()}",
        wwid=_fill_glob(selector.wwid) or f"naa.5{digest[:15]}",
        uuid=_fill_glob(selector.uuid),
        modalias=_fill_glob(selector.modalias) or "scsi:t-0x00",
        bus_path=_fill_glob(selector.bus_path) or "/pci0000:00/0000:00:1f.2/ata1",
        transport=transport,
        rotational=selector.type == "hdd",
        symlinks=(path,) if is_link else (),
    )


def _derive_size(expression: str) -> int:
    if not expression:
        return _DEFAULT_SIZE
    operator, size = _split_size(expression)
    if _size_matches(expression, _DEFAULT_SIZE):
        return _DEFAULT_SIZE
    return {">": size + 1, "<": size - 1, "!=": size + 1}.get(operator, size)


def _fill_glob(pattern: str) -> str:
    return pattern.replace("*", "LAB")


def _split_size(expression: str) -> tuple[str, int]:
    found = re.match(r"\s*(<=|>=|==|!=|<|>)?", expression)
    operator = (found[1] if found else None) or "=="
    return operator, parse_size(expression[found.end() :] if found else expression)


def _size_matches(expression: str, size: int) -> bool:
    if not expression:
        return True
    operator, wanted = _split_size(expression)
    claims = {
        "<=": size <= wanted,
        ">=": size >= wanted,
        "<": size < wanted,
        ">": size > wanted,
        "==": size == wanted,
        "!=": size != wanted,
    }
    return claims[operator]


def _glob_matches(pattern: str, value: str) -> bool:
    if not pattern:
        return True
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), value) is not None


def _type_matches(kind: str, disk: Disk) -> bool:
    claims = {
        "": True,
        "nvme": disk.transport == "nvme",
        "sd": disk.transport == "mmc",
        "hdd": disk.rotational,
        "ssd": not disk.rotational,
    }
    return claims.get(kind, False)

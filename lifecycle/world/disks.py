"""Which of a machine's disks a node's `installDisk` or `installDiskSelector` means.

The rules are those of Talos' machine config (`machine.install.diskSelector`): every given field
must match; `size` may have a comparison; text fields may have `*` wildcards.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from inventory import Node
from lifecycle.drivers.talosctl import Disk

__all__ = ["describe_disk", "select_install_disks"]

_UNITS = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
    "TIB": 2**40,
}
_SIZE = re.compile(r"^\s*(<=|>=|==|<|>)?\s*([0-9.]+)\s*([A-Za-z]*)\s*$")


def select_install_disks(node: Node, disks: Sequence[Disk]) -> tuple[Disk, ...]:
    """Return every disk that the node's declaration matches; exactly one is what is wanted."""
    usable = [disk for disk in disks if not disk.readonly and not disk.cdrom]
    if node.install_disk:
        wanted = node.install_disk
        return tuple(d for d in usable if wanted == d.dev_path or wanted in d.symlinks)
    selector = {key: str(value) for key, value in node.disk_selector.items()}
    return tuple(disk for disk in usable if _is_matched(disk, selector))


def describe_disk(disk: Disk) -> str:
    """Say which disk it is, as its owner would recognise it."""
    serial = f" serial {disk.serial}" if disk.serial else ""
    return f"{disk.dev_path} ({disk.size / 10**9:.0f} GB {disk.model}{serial})"


def _is_matched(disk: Disk, selector: dict[str, str]) -> bool:
    texts = {
        "name": disk.dev_path,
        "model": disk.model,
        "serial": disk.serial,
        "modalias": disk.modalias,
        "uuid": disk.uuid,
        "wwid": disk.wwid,
        "busPath": disk.bus_path,
        "type": _type_of(disk),
    }
    for key, wanted in selector.items():
        if key == "size":
            if not _is_size_matched(disk.size, wanted):
                return False
        elif not _is_text_matched(texts.get(key, ""), wanted):
            return False
    return True


def _is_text_matched(text: str, wanted: str) -> bool:
    """Compare without case; `*` stands for anything, every other character for itself."""
    pattern = ".*".join(re.escape(part) for part in wanted.split("*"))
    return re.fullmatch(pattern, text, re.IGNORECASE | re.DOTALL) is not None


def _type_of(disk: Disk) -> str:
    """Name the disk's type as the selector does: nvme, sd, hdd or ssd."""
    if disk.transport == "nvme":
        return "nvme"
    if disk.transport == "mmc":
        return "sd"
    return "hdd" if disk.rotational else "ssd"


def _is_size_matched(size: int, wanted: str) -> bool:
    found = _SIZE.match(wanted)
    if not found:
        return False
    limit = float(found[2]) * _UNITS.get(found[3].upper(), 0)
    match found[1] or "==":
        case "<=":
            return size <= limit
        case ">=":
            return size >= limit
        case "<":
            return size < limit
        case ">":
            return size > limit
        case _:
            return size == limit

"""How large the file systems of a machine are that pods can have: Talos' own, and user volumes.

Source: https://www.talos.dev/v1.13/reference/configuration/block/uservolumeconfig/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lab.machines.hardware import Disk, parse_size
from lab.machines.yamltree import Tree

__all__ = ["SYSTEM_BYTES", "UserVolume", "measure_storage", "read_user_volumes"]

# What EFI, META, STATE and boot slots take of the system disk beside EPHEMERAL; about.
SYSTEM_BYTES = 2_000_000_000
_EPHEMERAL = "/var"
_USER_VOLUMES = "/var/mnt"


@dataclass(frozen=True, slots=True)
class UserVolume:
    """One UserVolumeConfig: sizes in bytes, 0 where the document has none."""

    name: str
    least: int = 0
    most: int = 0


def read_user_volumes(documents: Iterable[Tree]) -> tuple[UserVolume, ...]:
    """Read the UserVolumeConfig documents of a machine config."""
    return tuple(
        UserVolume(
            item.at("name").text(),
            _read_size(item.at("provisioning", "minSize")),
            _read_size(item.at("provisioning", "maxSize")),
        )
        for item in documents
        if item.at("kind").text() == "UserVolumeConfig"
    )


def measure_storage(
    disks: Sequence[Disk], system: str, volumes: Sequence[UserVolume]
) -> Mapping[str, int]:
    """Return the bytes of each mounted file system by its path.

    A user volume takes the smallest free disk that is large enough, whatever its selector says,
    else a part of the system disk, if it says how large and that is there.
    """
    own = next((disk for disk in disks if disk.dev_path == system), None)
    if own is None:
        return {}
    left = own.size - SYSTEM_BYTES
    found: dict[str, int] = {}
    others = [disk for disk in disks if disk is not own and not (disk.cdrom or disk.readonly)]
    others.sort(key=lambda disk: disk.size)
    for volume in volumes:
        disk = next((disk for disk in others if disk.size >= volume.least), None)
        if disk is not None:
            others.remove(disk)
            size = min(volume.most or disk.size, disk.size)
        else:
            size = volume.least or volume.most
            if not 0 < size < left:
                continue  # stays unmounted, and its path is a folder of EPHEMERAL
            left -= size
        found[f"{_USER_VOLUMES}/{volume.name}"] = size
    return {_EPHEMERAL: left, **found}


def _read_size(value: Tree) -> int:
    try:
        return parse_size(value.text())
    except ValueError:
        return 0

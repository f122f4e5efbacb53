"""Which disks a declaration means, by the rules of Talos' disk selector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from inventory import Node, Role
from lifecycle.drivers.talosctl import Disk
from lifecycle.world.disks import describe_disk, select_install_disks

SDA = Disk(
    name="sda",
    dev_path="/dev/sda",
    size=500_107_862_016,
    model="CT500MX500SSD1",
    serial="2013E298798B",
    wwid="naa.500a0751e298798b",
    uuid="",
    bus_path="/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0",
    sub_system="/sys/class/block",
    transport="sata",
    modalias="scsi:t-0x00",
    rotational=False,
    readonly=False,
    cdrom=False,
    symlinks=("/dev/disk/by-id/ata-CT500MX500SSD1_2013E298798B",),
)
SPINNING = replace(
    SDA, name="sdb", dev_path="/dev/sdb", size=4 * 10**12, rotational=True, serial="WD[1]", model=""
)
NVME = replace(
    SDA, name="nvme0n1", dev_path="/dev/nvme0n1", size=10**12, transport="nvme", serial="S4"
)
CARD = replace(SDA, name="mmcblk0", dev_path="/dev/mmcblk0", transport="mmc", size=32 * 2**30)
STICK = replace(SDA, name="sdc", dev_path="/dev/sdc", readonly=True, symlinks=())
DRIVE = replace(SDA, name="sr0", dev_path="/dev/sr0", cdrom=True, symlinks=())
DISKS = (SDA, SPINNING, NVME, CARD, STICK, DRIVE)


def select(selector: Mapping[str, str] | None = None, install_disk: str = "") -> list[str]:
    """The names of the disks that a node's declaration matches."""
    node = Node("n", "", (), "", Role.WORKER, install_disk, dict(selector or {}))
    return [disk.name for disk in select_install_disks(node, DISKS)]


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ({"serial": "S4"}, ["nvme0n1"]),
        ({"serial": "2013*"}, ["sda", "mmcblk0"]),
        ({"model": "ct500*"}, ["sda", "nvme0n1", "mmcblk0"]),
        ({"serial": "WD[1]"}, ["sdb"]),
        ({"serial": "?4"}, []),
        ({"wwid": "naa.500a0751e298798b", "type": "nvme"}, ["nvme0n1"]),
        ({"type": "hdd"}, ["sdb"]),
        ({"type": "ssd"}, ["sda"]),
        ({"type": "sd"}, ["mmcblk0"]),
        ({"busPath": "/pci0000:00/0000:00:17.0/*", "type": "hdd"}, ["sdb"]),
        ({"name": "/dev/sd*"}, ["sda", "sdb"]),
        ({"size": "<= 500GiB"}, ["sda", "mmcblk0"]),
        ({"size": ">= 1TB"}, ["sdb", "nvme0n1"]),
        ({"size": "> 1TB"}, ["sdb"]),
        ({"size": "< 33GB"}, []),
        ({"size": "< 35 gb"}, ["mmcblk0"]),
        ({"size": "4TB"}, ["sdb"]),
        ({"size": "== 1.0 TB"}, ["nvme0n1"]),
        ({"size": "big"}, []),
        ({"unheard": "of"}, []),
    ],
)
def test_selector(selector: Mapping[str, str], names: list[str]) -> None:
    """Every given field must match; what cannot be written to never does."""
    assert names == select(selector)


def test_install_disk_by_path() -> None:
    """A path means the disk of that name, or the one that a symlink leads to."""
    assert ["sda"] == select(install_disk="/dev/sda")
    assert "sda" in select(install_disk="/dev/disk/by-id/ata-CT500MX500SSD1_2013E298798B")
    assert [] == select(install_disk="/dev/sdz")
    assert [] == select(install_disk="/dev/sdc")


def test_disk_is_described_as_its_owner_knows_it() -> None:
    """Size, model and serial are what is printed on a disk."""
    assert "/dev/sda (500 GB CT500MX500SSD1 serial 2013E298798B)" == describe_disk(SDA)

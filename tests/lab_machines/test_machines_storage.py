"""How large the file systems of machines are: Talos' own and those of user volumes."""

from __future__ import annotations

import pytest

from lab.machines.hardware import Disk
from lab.machines.storage import UserVolume, measure_storage, read_user_volumes
from lab.machines.yamltree import Tree

GB = 10**9
SYSTEM = Disk("sda", 256 * GB)
DVD = Disk("sr0", 900 * GB, cdrom=True, readonly=True)
SMALL, LARGE = Disk("nvme0n1", 500 * GB), Disk("nvme1n1", 2000 * GB)


@pytest.mark.parametrize(
    ("disks", "volumes", "sizes"),
    [
        ((SYSTEM,), (), {"/var": 254 * GB}),
        ((SYSTEM, DVD), (UserVolume("a", most=50 * GB),), {"/var": 204, "/var/mnt/a": 50}),
        ((SYSTEM,), (UserVolume("a", least=1500 * GB), UserVolume("b")), {"/var": 254}),
        (
            (SYSTEM, LARGE, SMALL, DVD),
            (UserVolume("a", least=1500 * GB), UserVolume("b", most=100 * GB)),
            {"/var": 254, "/var/mnt/a": 2000, "/var/mnt/b": 100},
        ),
    ],
)
def test_user_volumes_take_disks_of_their_own(
    disks: tuple[Disk, ...], volumes: tuple[UserVolume, ...], sizes: dict[str, int]
) -> None:
    """The smallest free one that is large enough, never a drive; else a part of Talos'."""
    wanted = {path: size if size > GB else size * GB for path, size in sizes.items()}

    assert wanted == measure_storage(disks, "/dev/sda", volumes)


def test_machine_without_system_has_no_storage() -> None:
    """Before Talos is installed there is nothing to mount."""
    assert {} == measure_storage((SYSTEM,), "", ())


def test_user_volumes_are_read_from_their_documents() -> None:
    """Sizes in Talos' units; a size that cannot be read, or in per cent, counts as none."""
    provisioning = {"minSize": "1500GB", "maxSize": "80%"}
    documents = [
        Tree({"kind": "UserVolumeConfig", "name": "a", "provisioning": provisioning}),
        Tree({"kind": "VolumeConfig", "name": "EPHEMERAL"}),
        Tree({"kind": "UserVolumeConfig", "name": "b"}),
    ]

    assert (UserVolume("a", 1500 * GB), UserVolume("b")) == read_user_volumes(documents)

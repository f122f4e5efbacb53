"""The file in which users describe their own machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.hardware_file import HardwareFileError, read_hardware
from lab.machines import DiskSelector, Hardware, derive_hardware

_FILE = """\
machines:
  control-1:
    uuid: 4C4C4544-0042-3510-8054-B4C04F4D4E32
    serial: ABC1234
    memory: 32GiB
    cpus: 8
    disks:
      - name: nvme0n1
        size: 1TB
        model: Samsung SSD 990
        serial: S7KGNU0X
        wwid: eui.0025384841b0d2f5
      - {name: /dev/sda, size: 4000787030016, rotational: true, holds: xfs}
    nics:
      - {name: enp1s0, mac: "AA:BB:CC:DD:EE:01"}
      - {name: enp2s0, mac: "aa:bb:cc:dd:ee:02", driver: igc}
"""


def _derive() -> dict[str, Hardware]:
    return {name: derive_hardware(name) for name in ("control-1", "worker-1")}


def _read(tmp_path: Path, text: str) -> Hardware:
    path = tmp_path / "lab-hardware.yaml"
    path.write_text(text)
    return read_hardware(path, _derive())["control-1"]


def test_a_described_machine_is_as_described(tmp_path: Path) -> None:
    """Disks, interfaces, memory and identity come from the file, sizes with their units."""
    hardware = _read(tmp_path, _FILE)

    nvme, hdd = hardware.disks
    assert (hardware.uuid, hardware.serial) == ("4c4c4544-0042-3510-8054-b4c04f4d4e32", "ABC1234")
    assert (hardware.memory, hardware.cpus) == (32 * 1024**3, 8)
    assert (nvme.dev_path, nvme.size, nvme.transport) == ("/dev/nvme0n1", 10**12, "nvme")
    assert (hdd.dev_path, hdd.rotational, hdd.holds) == ("/dev/sda", True, "xfs")
    assert [nic.mac for nic in hardware.nics] == ["aa:bb:cc:dd:ee:01", "aa:bb:cc:dd:ee:02"]


def test_selectors_choose_among_described_disks(tmp_path: Path) -> None:
    """What a selector means is decided by the described disks, as on the real machine."""
    disks = _read(tmp_path, _FILE).disks

    assert [disk.name for disk in DiskSelector(type="nvme").find_disks(disks)] == ["nvme0n1"]
    assert [disk.name for disk in DiskSelector(size=">= 2TB").find_disks(disks)] == ["sda"]


def test_what_is_left_out_is_derived(tmp_path: Path) -> None:
    """A machine that is only partly described, or not at all, is what it was without the file."""
    path = tmp_path / "lab-hardware.yaml"
    path.write_text("machines:\n  control-1: {memory: 8GiB}\n")
    derived = _derive()

    found = read_hardware(path, derived)

    assert found["worker-1"] == derived["worker-1"]
    assert found["control-1"].disks == derived["control-1"].disks
    assert found["control-1"].memory == 8 * 1024**3


def test_without_a_file_everything_is_derived(tmp_path: Path) -> None:
    """Most users never write one."""
    derived = _derive()

    assert read_hardware(tmp_path / "nope", derived) == derived


@pytest.mark.parametrize(
    ("text", "place", "problem", "hint"),
    [
        (
            "machines:\n  contrl-1: {}\n",
            "2:13",
            "unknown key: `contrl-1`",
            "did you mean `control-1`?",
        ),
        (
            "machines:\n  control-1:\n    disks:\n      - {name: sda, size: big}\n",
            "4:27",
            "size cannot be read: `big`",
            "write it as `1TB` or `32GiB`",
        ),
        (
            "machines:\n  control-1:\n    disks:\n      - {size: 1TB}\n",
            "4:9",
            "`name` is missing",
            "add `name`",
        ),
        (
            "machines:\n  control-1:\n    nics: [{name: eth0, mac: 00:11}]\n",
            "3:30",
            "not a MAC address: `00:11`",
            "write it as `aa:bb:cc:dd:ee:ff`",
        ),
        (
            "machines:\n  control-1: {cpus: many}\n",
            "2:21",
            "expected a whole number: `many`",
            "write digits only",
        ),
        (
            "machines:\n  control-1:\n    disks: {name: sda}\n",
            "3:12",
            "expected a list: `{'name': 'sda'}`",
            "begin each item with `- `",
        ),
        ("- a\n", "1:1", "expected a mapping: `['a']`", "keys are machines"),
    ],
)
def test_what_does_not_fit_is_told(
    tmp_path: Path, text: str, place: str, problem: str, hint: str
) -> None:
    """An error names file, line, column, the value and the repair."""
    with pytest.raises(HardwareFileError) as caught:
        _read(tmp_path, text)

    path = tmp_path / "lab-hardware.yaml"
    assert str(caught.value) == f"{path}:{place}: {problem}\nhint: {hint}"


def test_yaml_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A syntax error has its place, too."""
    with pytest.raises(HardwareFileError, match=r"lab-hardware\.yaml:3:1: "):
        _read(tmp_path, "machines:\n  control-1: [\n")

"""Disk selectors, derived hardware, machine configs: what needs no running machine."""

from __future__ import annotations

import pytest
import yaml

from lab.machines import Disk, DiskSelector, derive_hardware
from lab.machines.config import ConfigError, parse_config
from lab.machines.hardware import parse_size
from lab.machines.images import InstallerImage
from tests.lab_machines.lab_machines_world import Cluster


@pytest.mark.parametrize(
    ("selector", "expression"),
    [
        (
            DiskSelector(size="<= 256KiB"),
            'disk.size <= 262144u && disk.transport != "" && !disk.readonly && !disk.cdrom',
        ),
        (
            DiskSelector(size="1MiB", type="nvme"),
            """\
disk.size == 1048576u && disk.transport != "" && disk.transport == "nvme" && !disk.readonly &&
!disk.cdrom""",
        ),
        (
            DiskSelector(bus_path="/pci-0000:00:1f.2/*"),
            """\
disk.transport != "" && glob("/pci-0000:00:1f.2/*", disk.bus_path) && !disk.readonly &&
!disk.cdrom""",
        ),
    ],
)
def test_expressions_are_talos_own(selector: DiskSelector, expression: str) -> None:
    """Expressions are those of Talos' own tests, line breaks included."""
    assert expression == selector.write_expression()


@pytest.mark.parametrize(
    "selector",
    [
        DiskSelector(size="<= 1600GB"),
        DiskSelector(size=">= 2TB"),
        DiskSelector(size="500 GiB"),
        DiskSelector(model="Samsung*970*"),
        DiskSelector(serial="S4EV*"),
        DiskSelector(type="nvme"),
        DiskSelector(type="hdd", size="> 1TB"),
        DiskSelector(wwid="naa.5000*", bus_path="/pci0000:00/*"),
    ],
)
def test_derived_hardware_matches_exactly_once(selector: DiskSelector) -> None:
    """A node's machine has exactly one disk that its selector means."""
    hardware = derive_hardware("node", selector=selector)

    assert len(selector.find_disks(hardware.disks)) == 1


def test_derived_hardware_is_stable_and_distinct() -> None:
    """The same name is the same machine; another name shares neither UUID, serial nor MAC."""
    first, second = derive_hardware("a"), derive_hardware("b")

    assert first == derive_hardware("a")
    assert first.uuid != second.uuid
    assert first.nics[0].mac != second.nics[0].mac
    assert first.disks[0].serial != second.disks[0].serial


def test_install_disk_names_the_device() -> None:
    """A plain install disk is the device that the machine has."""
    assert derive_hardware("a", disk="/dev/nvme0n1").disks[0].dev_path == "/dev/nvme0n1"


def test_install_disk_may_be_a_link() -> None:
    """A by-id path is a link to the machine's one disk."""
    path = "/dev/disk/by-id/ata-LAB"

    disk = derive_hardware("a", disk=path).get_disk(path)

    assert disk is not None
    assert disk.name == "sda"


def test_unreadable_size_is_an_error() -> None:
    """A selector's size that is no size makes the config invalid."""
    install = {"diskSelector": {"size": "< much"}, "image": "i:v1.13.9"}

    with pytest.raises(ConfigError, match="install disk selector is invalid"):
        parse_config(Cluster().write_config("cp1", install=install))


def test_selectors_leave_mediums_out() -> None:
    """Read-only disks, CD-ROMs and devices without a transport never match."""
    disks = (
        Disk("sr0", 1, cdrom=True),
        Disk("sdz", 1, readonly=True),
        Disk("dm-0", 1, transport=""),
        Disk("sda", 1),
    )

    assert [disk.name for disk in DiskSelector().find_disks(disks)] == ["sda"]


@pytest.mark.parametrize(
    ("text", "size"),
    [("1600GB", 1_600_000_000_000), ("4 GiB", 4 * 1024**3), ("10", 10), ("1.5tb", 1_500 * 10**9)],
)
def test_sizes_know_their_units(text: str, size: int) -> None:
    """Decimal and binary units differ, case does not."""
    assert size == parse_size(text)


def test_config_reads_what_the_machine_acts_on() -> None:
    """The fields that the lab acts on come out of a config, with extra documents beside it."""
    raw = Cluster().write_config("cp1") + b"---\napiVersion: v1alpha1\nkind: WatchdogTimerConfig\n"

    config = parse_config(raw)

    assert (config.machine_type, config.hostname) == ("controlplane", "cp1")
    assert (config.install_disk, config.kubelet_version) == ("/dev/sda", "v1.36.3")
    assert config.documents == ("WatchdogTimerConfig",)
    assert config.ca_key.startswith(b"-----BEGIN PRIVATE KEY-----")


@pytest.mark.parametrize(
    ("patch", "is_external", "urls"),
    [
        ({}, False, ()),
        ({"kubelet": {"cloud-provider": "external"}}, True, ()),
        ({"externalCloudProvider": {"enabled": True, "manifests": ["u"]}}, True, ("u",)),
        ({"externalCloudProvider": {"enabled": False, "manifests": ["u"]}}, False, ()),
    ],
)
def test_config_tells_clouds_and_manifests(
    patch: dict[str, dict[str, object]], urls: tuple[str, ...], *, is_external: bool
) -> None:
    """Either way to an external cloud counts; what a cloud is not switched on for is not read."""
    document = yaml.safe_load(Cluster().write_config("cp1"))
    document["machine"]["kubelet"]["extraArgs"] |= patch.get("kubelet", {})
    cloud = patch.get("externalCloudProvider")
    if cloud:
        document["cluster"] |= {"externalCloudProvider": cloud}
    document["cluster"]["inlineManifests"] = [{"name": "a", "contents": "kind: A"}]

    config = parse_config(yaml.safe_dump(document).encode())

    assert is_external == config.has_external_cloud
    assert (("a", "kind: A"),) == config.manifests.inline
    assert urls == config.manifests.cloud_urls


@pytest.mark.parametrize(
    ("reference", "image"),
    [
        ("ghcr.io/siderolabs/installer:v1.13.9", InstallerImage("v1.13.9")),
        (
            f"factory.talos.dev/metal-installer/{'ab' * 32}:v1.14.0-rc.1@sha256:{'0' * 64}",
            InstallerImage("v1.14.0-rc.1", "ab" * 32),
        ),
        ("registry:5000/installer", None),
    ],
)
def test_installer_images_name_version_and_schematic(
    reference: str, image: InstallerImage | None
) -> None:
    """Tag and schematic are read past ports and digests."""
    assert image == InstallerImage.read(reference)


def test_config_repr_shows_no_secret() -> None:
    """A config in a traceback or log shows no key."""
    assert "PRIVATE KEY" not in repr(parse_config(Cluster().write_config("cp1")))


def test_garbled_certificate_is_an_error() -> None:
    """Base64 that is none is refused."""
    raw = Cluster().write_config("cp1").replace(b"crt: LS0", b"crt: '*S0", 1)

    with pytest.raises(ConfigError):
        parse_config(raw)

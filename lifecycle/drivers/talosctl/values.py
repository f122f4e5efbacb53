"""What talosctl prints, as values. Field names are those of Talos' resources (their YAML tags)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from lifecycle.drivers.documents import (
    JsonObject,
    as_object,
    flag_at,
    list_at,
    number_at,
    object_at,
    parse_json_stream,
    text_at,
    texts_at,
)

__all__ = [
    "DiscoveredVolume",
    "Disk",
    "EtcdMember",
    "Link",
    "MachineStatus",
    "Resource",
    "Service",
    "SystemInformation",
    "TalosVersion",
    "UnmetCondition",
    "parse_etcd_members",
    "parse_resources",
    "parse_version",
]


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource as `talosctl get -o json` prints it."""

    id: str
    type: str
    namespace: str
    version: int
    spec: JsonObject


@dataclass(frozen=True, slots=True)
class TalosVersion:
    """The server's version; `tag` is like `v1.13.9`, `platform` like `linux/amd64`."""

    tag: str
    sha: str
    platform: str


@dataclass(frozen=True, slots=True)
class UnmetCondition:
    """What a machine still waits for while booting or running."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class MachineStatus:
    """A machine's own view of itself.

    `stage` is one of unknown, booting, installing, maintenance, running, rebooting,
    shutting down, resetting, upgrading. `ready` means something only in booting and running:
    the other stages, maintenance among them, always report it (Talos' `machine_status.go`).
    """

    stage: str
    ready: bool
    unmet: tuple[UnmetCondition, ...]

    @classmethod
    def from_spec(cls, spec: JsonObject) -> MachineStatus:
        """Read a MachineStatus resource's spec."""
        unmet = tuple(
            UnmetCondition(text_at(item, "name"), text_at(item, "reason"))
            for item in list_at(spec, "status", "unmetConditions")
        )
        return cls(text_at(spec, "stage") or "unknown", flag_at(spec, "status", "ready"), unmet)


@dataclass(frozen=True, slots=True)
class Disk:
    """A block device; `size` in bytes, texts are empty where the device does not say."""

    name: str
    dev_path: str
    size: int
    model: str
    serial: str
    wwid: str
    uuid: str
    bus_path: str
    sub_system: str
    transport: str
    modalias: str
    rotational: bool
    readonly: bool
    cdrom: bool
    symlinks: tuple[str, ...]

    @classmethod
    def from_resource(cls, resource: Resource) -> Disk:
        """Read a Disk resource."""
        spec = resource.spec
        return cls(
            name=resource.id,
            dev_path=text_at(spec, "dev_path"),
            size=number_at(spec, "size"),
            model=text_at(spec, "model"),
            serial=text_at(spec, "serial"),
            wwid=text_at(spec, "wwid"),
            uuid=text_at(spec, "uuid"),
            bus_path=text_at(spec, "bus_path"),
            sub_system=text_at(spec, "sub_system"),
            transport=text_at(spec, "transport"),
            modalias=text_at(spec, "modalias"),
            rotational=flag_at(spec, "rotational"),
            readonly=flag_at(spec, "readonly"),
            cdrom=flag_at(spec, "cdrom"),
            symlinks=texts_at(spec, "symlinks"),
        )


@dataclass(frozen=True, slots=True)
class DiscoveredVolume:
    """What blkid found on a disk or a partition; `name` is the file system or the table kind."""

    id: str
    dev_path: str
    parent: str
    name: str
    label: str
    partition_label: str
    size: int

    @classmethod
    def from_resource(cls, resource: Resource) -> DiscoveredVolume:
        """Read a DiscoveredVolume resource."""
        spec = resource.spec
        return cls(
            id=resource.id,
            dev_path=text_at(spec, "dev_path"),
            parent=text_at(spec, "parent"),
            name=text_at(spec, "name"),
            label=text_at(spec, "label"),
            partition_label=text_at(spec, "partition_label"),
            size=number_at(spec, "size"),
        )


@dataclass(frozen=True, slots=True)
class Link:
    """A network link; addresses in lower case with colons. Only physical ones have no `kind`."""

    name: str
    hardware_address: str
    permanent_address: str
    type: str
    kind: str
    operational_state: str
    is_up: bool

    @property
    def is_physical(self) -> bool:
        """Whether this is a network card rather than a loopback or a virtual link."""
        return self.type == "ether" and not self.kind

    @classmethod
    def from_resource(cls, resource: Resource) -> Link:
        """Read a LinkStatus resource."""
        spec = resource.spec
        return cls(
            name=resource.id,
            hardware_address=text_at(spec, "hardwareAddr").lower(),
            permanent_address=text_at(spec, "permanentAddr").lower(),
            type=text_at(spec, "type"),
            kind=text_at(spec, "kind"),
            operational_state=text_at(spec, "operationalState"),
            is_up=flag_at(spec, "linkState"),
        )


@dataclass(frozen=True, slots=True)
class SystemInformation:
    """What the firmware says of the machine."""

    manufacturer: str
    product_name: str
    serial_number: str
    uuid: str

    @classmethod
    def from_spec(cls, spec: JsonObject) -> SystemInformation:
        """Read a SystemInformation resource's spec."""
        return cls(
            text_at(spec, "manufacturer"),
            text_at(spec, "productName"),
            text_at(spec, "serialnumber"),
            text_at(spec, "uuid").lower(),
        )


@dataclass(frozen=True, slots=True)
class Service:
    """A Talos service; `unknown` means that it has no health check or none ran yet."""

    name: str
    running: bool
    healthy: bool
    unknown: bool

    @classmethod
    def from_resource(cls, resource: Resource) -> Service:
        """Read a Service resource."""
        spec = resource.spec
        return cls(
            resource.id,
            flag_at(spec, "running"),
            flag_at(spec, "healthy"),
            flag_at(spec, "unknown"),
        )


@dataclass(frozen=True, slots=True)
class EtcdMember:
    """A member of etcd; a member that has not started yet has neither name nor client URLs."""

    id: str
    hostname: str
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...]
    is_learner: bool


def parse_resources(stdout: str) -> tuple[Resource, ...]:
    """Parse `talosctl get -o json`: objects that follow each other; raises ValueError."""
    return tuple(
        Resource(
            id=text_at(item, "metadata", "id"),
            type=text_at(item, "metadata", "type"),
            namespace=text_at(item, "metadata", "namespace"),
            version=number_at(item, "metadata", "version"),
            spec=object_at(as_object(item), "spec"),
        )
        for item in parse_json_stream(stdout)
    )


def parse_version(stdout: str) -> TalosVersion:
    """Parse the server's part of `talosctl version`.

    Raises:
        ValueError: There is no answer of a server in it.
    """
    _, found, server = stdout.partition("Server:")
    fields = dict(re.findall(r"^\s+([A-Za-z/ ]+?):\s+(\S+)\s*$", server, re.MULTILINE))
    if not found or "Tag" not in fields:
        message = "talosctl version has no server's answer"
        raise ValueError(message)
    return TalosVersion(fields["Tag"], fields.get("SHA", ""), fields.get("OS/Arch", ""))


def parse_etcd_members(stdout: str) -> tuple[EtcdMember, ...]:
    """Parse the table of `talosctl etcd members`; an empty output has no members.

    The columns are aligned and cells may be empty, so a cell is what stands below its header.
    """
    header, *rows = stdout.rstrip().splitlines() or [""]
    starts = [match.start() for match in re.finditer(r"\S+(?: \S+)*", header)]
    names = [header[a:b].strip() for a, b in pairwise([*starts, len(header)])]
    members: list[EtcdMember] = []
    for row in rows:
        cells = [row[a:b].strip() for a, b in pairwise([*starts, max(len(row), len(header))])]
        cell = dict(zip(names, cells, strict=True))
        members.append(
            EtcdMember(
                id=cell.get("ID", ""),
                hostname=cell.get("HOSTNAME", ""),
                peer_urls=_urls(cell.get("PEER URLS", "")),
                client_urls=_urls(cell.get("CLIENT URLS", "")),
                is_learner=cell.get("LEARNER") == "true",
            )
        )
    return tuple(members)


def _urls(cell: str) -> tuple[str, ...]:
    return tuple(url for url in cell.split(",") if url)

"""Longhorn's disks: what a node has, what is promised of it already, and what fits on it.

Source: `scheduler/replica_scheduler.go` (`IsSchedulableToDisk`, `FindDiskCandidates`),
`controller/node_controller.go` (`updateDiskStatusSchedulableCondition`) and `types/types.go`
(`CreateDefaultDisk`) of longhorn-manager.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from lab.kubernetes.controllers.longhorn_managers import (
    LONGHORN_NODES,
    REPLICAS,
    VOLUMES,
    is_cordoned,
    read_setting,
)
from lab.kubernetes.controllers.world import World, set_condition
from lab.kubernetes.store import Place
from lab.kubernetes.values import (
    Json,
    Object,
    at,
    dig,
    grow,
    name_of,
    namespace_of,
    number,
    text,
)

__all__ = [
    "FULL",
    "NO_DISK",
    "NO_MANAGER",
    "NO_NODE",
    "Disk",
    "find_disks",
    "keep_disks",
    "make_disks",
    "read_size",
]

# Why a replica is not placed, as conditions of volumes say it.
FULL: Final = "insufficient storage"
NO_DISK: Final = "disks are unavailable"
NO_NODE: Final = "nodes are unavailable"
NO_MANAGER: Final = "none of the node candidates contains a ready engine image"
# Of a node that nothing is known of; about the lab's own disk.
_UNKNOWN_BYTES: Final = 254_000_000_000
_LABEL: Final = "node.longhorn.io/create-default-disk"
_PATH: Final = "/var/lib/longhorn/"
# How much of a disk is left when a fault fills it.
_LEFT_PERCENT: Final = 5


@dataclass(frozen=True, slots=True)
class Disk:
    """One disk of a node; bytes.

    Attributes:
        replicas: The sizes of those that are placed on it, by their names.
        is_guess: Whether its size is the lab's own idea: then it never is too small for what is
            promised of it.
    """

    node: str
    name: str
    uuid: str
    path: str
    maximum: int
    available: int
    reserved: int
    replicas: Mapping[str, int]
    takes_more: bool
    is_guess: bool

    @property
    def scheduled(self) -> int:
        """What is promised of it."""
        return sum(self.replicas.values())

    def refuse(self, size: int, used: int, limits: tuple[int, int]) -> str:
        """Say why a replica of a size, `used` of it, does not fit; empty when it does."""
        least_percent, most_percent = limits
        if self.maximum <= 0:
            return "Storage Max must be greater than 0"
        if self.available <= 0:
            return "Storage Available must be greater than 0"
        left, least = self.available - used, self.maximum * least_percent // 100
        if left <= least:
            return (
                f"Actual space usage condition failed: CurrentAvailable = {left} (StorageAvailable"
                f" - Required) is less than or equal to MinimalAvailable = {least}"
                f" ({least_percent}% of Storage Max)."
            )
        total, most = self.scheduled + size, (self.maximum - self.reserved) * most_percent // 100
        if total > most and not self.is_guess:
            return (
                f"Scheduling space condition failed: ScheduledTotal = {total} (Size +"
                f" StorageScheduled) is greater than ProvisionedLimit = {most} ({most_percent}% of"
                " StorageMax - StorageReserved). "
            )
        return ""


def read_size(written: Json) -> int:
    """Read a number of bytes, which Longhorn's objects have as text."""
    return int(written) if isinstance(written, str) and written.isdigit() else 0


def make_disks(world: World, namespace: str, node: str) -> Object:
    """Make the disks of a new node: one, unless the settings want a label for that."""
    labelled = read_setting(world, namespace, "create-default-disk-labeled-nodes", "false")
    labels = at(world.store.get("nodes", "", node), "metadata", "labels")
    if labelled == "true" and labels.get(_LABEL) != "true":
        return {}
    path = read_setting(world, namespace, "default-data-path", _PATH)
    percent = _read_number(world, namespace, "storage-reserved-percentage-for-default-disk", 30)
    size, _ = _measure(world, node, path)
    disk: Object = {
        "diskType": "filesystem",
        "path": path,
        "diskDriver": "",
        "allowScheduling": True,
        "evictionRequested": False,
        "storageReserved": size * percent // 100,
        "tags": [],
    }
    return {f"default-disk-{_digest(node, path)[:16]}": disk}


def keep_disks(world: World, namespace: str, node: str) -> None:
    """Tell in a node's status how its disks stand; of one that is down they stay as they were."""
    place = Place(LONGHORN_NODES, namespace, node)
    found = world.find(place)
    if found is None or node not in world.nodes:
        return
    now, limits = world.api.now(), _read_limits(world, namespace)

    def change(obj: Object) -> None:
        statuses = grow(obj, "status", "diskStatus")
        disks = [*_read_disks(world, obj)]
        for name in set(statuses) - {disk.name for disk in disks}:
            del statuses[name]
        for disk in disks:
            status = grow(statuses, disk.name)
            status.update(_describe(disk))
            where = f"Disk {disk.name} ({disk.path}) on the node {node}"
            set_condition(status, "Ready", "True", "", f"{where} is ready", now=now)
            refusal = disk.refuse(0, 0, limits)
            value, reason, said = "True", "", f"{where} is schedulable"
            if refusal:
                value, reason = "False", "DiskPressure"
                said = f"{where} is not schedulable for more replica; {refusal}"
            set_condition(status, "Schedulable", value, reason, said, now=now)

    world.edit(place, change)


def find_disks(
    world: World, volume: Object, usable: Collection[str], taken: Collection[str]
) -> tuple[list[Disk], str]:
    """Find the disks that a replica of a volume may be placed on; none, and why.

    Args:
        world: The cluster.
        volume: Longhorn's volume.
        usable: Nodes whose manager and instance manager are up.
        taken: Nodes that are not to have another replica of it.
    """
    namespace = namespace_of(volume)
    nodes = [
        node
        for node in world.store.all(LONGHORN_NODES, namespace)
        if not is_cordoned(world, name_of(node)) and dig(node, "spec", "allowScheduling") is True
    ]
    if not nodes:
        return [], NO_NODE
    nodes = [node for node in nodes if name_of(node) in usable]
    if not nodes:
        return [], NO_MANAGER
    limits, reasons, fitting = _read_limits(world, namespace), set[str](), list[Disk]()
    size = read_size(dig(volume, "spec", "size"))
    used = number(volume, "status", "actualSize")
    for node in nodes:
        if name_of(node) in taken:
            continue
        disks = [d for d in _read_disks(world, node) if d.takes_more and not d.refuse(0, 0, limits)]
        if not disks:
            reasons.add(NO_DISK)
        for disk in disks:
            if disk.refuse(size, used, limits):
                reasons.add(FULL)
            else:
                fitting.append(disk)
    return fitting, "; ".join(sorted(reasons)) or NO_DISK


def _read_disks(world: World, node: Object) -> Iterator[Disk]:
    name, namespace = name_of(node), namespace_of(node)
    is_leaving = dig(node, "spec", "evictionRequested") is True
    for disk_name, spec in at(node, "spec", "disks").items():
        path = text(spec, "path")
        size, is_guess = _measure(world, name, path)
        raw = _digest(name, disk_name)
        uuid = f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:32]}"
        here = [
            item
            for item in world.store.all(REPLICAS, namespace)
            if text(item, "spec", "diskID") == uuid
        ]
        used = sum(_find_used(world, item) for item in here)
        disk = Disk(
            node=name,
            name=disk_name,
            uuid=uuid,
            path=path,
            maximum=size,
            available=max(0, size - used),
            reserved=number(spec, "storageReserved"),
            replicas={name_of(item): read_size(dig(item, "spec", "volumeSize")) for item in here},
            takes_more=dig(spec, "allowScheduling") is True
            and not (is_leaving or dig(spec, "evictionRequested") is True),
            is_guess=is_guess,
        )
        if world.faults.is_full(name):
            disk = replace(disk, available=size * _LEFT_PERCENT // 100)
        yield disk


def _find_used(world: World, replica: Object) -> int:
    """Return the bytes of a replica, as far as its volume tells how much is in it."""
    name = text(replica, "spec", "volumeName")
    volume = world.store.get(VOLUMES, namespace_of(replica), name)
    return number(volume or {}, "status", "actualSize")


def _measure(world: World, node: str, path: str) -> tuple[int, bool]:
    """Return the size of the file system below a path, and whether that is a guess."""
    facts = world.nodes.get(node)
    found = [
        (where, size)
        for where, size in (facts.storage.items() if facts else ())
        if f"{path.rstrip('/')}/".startswith(f"{where}/")
    ]
    if facts is None or not found:
        return _UNKNOWN_BYTES, True
    return max(found, key=lambda item: len(item[0]))[1], not facts.has_known_disks


def _describe(disk: Disk) -> Object:
    return {
        "diskUUID": disk.uuid,
        "diskName": disk.name,
        "diskPath": disk.path,
        "diskType": "filesystem",
        "diskDriver": "",
        "filesystemType": "xfs",
        "storageAvailable": disk.available,
        "storageMaximum": disk.maximum,
        "storageScheduled": disk.scheduled,
        "scheduledReplica": dict(disk.replicas),
    }


def _read_limits(world: World, namespace: str) -> tuple[int, int]:
    """Read how much of a disk must stay free, and how much may be promised of it, in per cent."""
    return (
        _read_number(world, namespace, "storage-minimal-available-percentage", 25),
        _read_number(world, namespace, "storage-over-provisioning-percentage", 100),
    )


def _read_number(world: World, namespace: str, name: str, default: int) -> int:
    written = read_setting(world, namespace, name, str(default))
    return int(written) if written.isdigit() else default


def _digest(*parts: str) -> str:
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()

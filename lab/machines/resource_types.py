"""The COSI resource types that simulated machines serve, with the words that resolve to them.

Names, namespaces, aliases and columns are those of `pkg/machinery/resources` of Talos v1.13.9.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lab.machines.protos import meta_pb2

__all__ = ["META_NAMESPACE", "RESOURCE_DEFINITIONS", "RESOURCE_TYPES", "ResourceType"]

META_NAMESPACE = "meta"
RESOURCE_DEFINITIONS = "ResourceDefinitions.meta.cosi.dev"


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One type: `name` as in `Disks.block.talos.dev`; columns are titles and JSON paths."""

    name: str
    singular: str
    namespace: str
    columns: tuple[tuple[str, str], ...] = ()
    aliases: tuple[str, ...] = ()
    is_sensitive: bool = False

    @property
    def id(self) -> str:
        """Id of its resource definition."""
        return self.name.lower()

    def to_definition(self) -> meta_pb2.ResourceDefinitionSpec:
        """Describe it as a machine does, with every word that talosctl accepts."""
        plural, _, suffix = self.name.partition(".")
        capitals = "".join(letter for letter in plural if letter.isupper()).lower()
        aliases = [*self.aliases, self.singular.lower()]
        if len(capitals) > 1:
            aliases += [capitals] if capitals.endswith("s") else [capitals, f"{capitals}s"]
        parts = suffix.split(".")
        dotted = [".".join([plural.lower(), *parts[:end]]) for end in range(1, len(parts))]
        return meta_pb2.ResourceDefinitionSpec(
            resource_type=self.name,
            display_type=self.singular,
            default_namespace=self.namespace,
            aliases=aliases,
            all_aliases=[plural.lower(), *dotted, *aliases],
            print_columns=[
                meta_pb2.ResourceDefinitionSpec.PrintColumn(name=title, json_path=path)
                for title, path in self.columns
            ],
            sensitivity="SENSITIVE" if self.is_sensitive else "NON_SENSITIVE",
        )


_DISK_COLUMNS = (
    ("Size", "{.pretty_size}"),
    ("Read Only", "{.readonly}"),
    ("Transport", "{.transport}"),
    ("Rotational", "{.rotational}"),
    ("WWID", "{.wwid}"),
    ("Model", "{.model}"),
    ("Serial", "{.serial}"),
)
_VOLUME_COLUMNS = (
    ("Type", "{.type}"),
    ("Size", "{.pretty_size}"),
    ("Discovered", "{.name}"),
    ("Label", "{.label}"),
    ("PartitionLabel", "{.partition_label}"),
)
_LINK_COLUMNS = (
    ("Alias", "{.alias}"),
    ("Type", "{.type}"),
    ("Kind", "{.kind}"),
    ("Hw Addr", "{.hardwareAddr}"),
    ("Oper State", "{.operationalState}"),
    ("Link State", "{.linkState}"),
)
_SYSTEM_COLUMNS = (
    ("Manufacturer", "{.manufacturer}"),
    ("ProductName", "{.productName}"),
    ("Version", "{.version}"),
    ("SerialNumber", "{.serialnumber}"),
    ("UUID", "{.uuid}"),
)
_MEMBER_COLUMNS = (
    ("Hostname", "{.hostname}"),
    ("Machine Type", "{.machineType}"),
    ("OS", "{.operatingSystem}"),
    ("Addresses", "{.addresses}"),
)
_VOLUME_STATUS_COLUMNS = (
    ("Type", "{.type}"),
    ("Phase", "{.phase}"),
    ("Location", "{.location}"),
    ("Size", "{.prettySize}"),
)

_TYPES = (
    ResourceType(
        "MachineStatuses.runtime.talos.dev",
        "MachineStatus",
        "runtime",
        (("Stage", "{.stage}"), ("Ready", "{.status.ready}")),
    ),
    ResourceType("Members.cluster.talos.dev", "Member", "cluster", _MEMBER_COLUMNS),
    ResourceType("Disks.block.talos.dev", "Disk", "runtime", _DISK_COLUMNS),
    ResourceType(
        "DiscoveredVolumes.block.talos.dev", "DiscoveredVolume", "runtime", _VOLUME_COLUMNS
    ),
    ResourceType("SystemDisks.block.talos.dev", "SystemDisk", "runtime", (("Disk", "{.diskID}"),)),
    ResourceType(
        "VolumeStatuses.block.talos.dev", "VolumeStatus", "runtime", _VOLUME_STATUS_COLUMNS
    ),
    ResourceType(
        "AddressStatuses.net.talos.dev",
        "AddressStatus",
        "network",
        (("Address", "{.address}"), ("Link", "{.linkName}")),
        ("address", "addresses"),
    ),
    ResourceType(
        "NodeAddresses.net.talos.dev",
        "NodeAddress",
        "network",
        (("Addresses", "{.addresses}"), ("SortAlgorithm", "{.sortAlgorithm}")),
    ),
    ResourceType(
        "LinkStatuses.net.talos.dev", "LinkStatus", "network", _LINK_COLUMNS, ("link", "links")
    ),
    ResourceType(
        "HostnameStatuses.net.talos.dev",
        "HostnameStatus",
        "network",
        (("Hostname", "{.hostname}"), ("Domainname", "{.domainname}")),
        ("hostname",),
    ),
    ResourceType(
        "Services.v1alpha1.talos.dev",
        "Service",
        "runtime",
        (
            ("Running", "{.running}"),
            ("Healthy", "{.healthy}"),
            ("Health Unknown", "{.unknown}"),
        ),
        ("svc",),
    ),
    ResourceType(
        "Nodenames.kubernetes.talos.dev", "Nodename", "k8s", (("Nodename", "{.nodename}"),)
    ),
    ResourceType(
        "NodeStatuses.kubernetes.talos.dev",
        "NodeStatus",
        "k8s",
        (("Ready", "{.nodeReady}"), ("Unschedulable", "{.unschedulable}")),
    ),
    ResourceType(
        "MachineConfigs.config.talos.dev",
        "MachineConfig",
        "config",
        aliases=("mc",),
        is_sensitive=True,
    ),
    ResourceType("MachineTypes.config.talos.dev", "MachineType", "config", (("Type", "{@}"),)),
    ResourceType("KubeletSpecs.kubernetes.talos.dev", "KubeletSpec", "k8s", is_sensitive=True),
    ResourceType("StaticPods.kubernetes.talos.dev", "StaticPod", "k8s"),
    ResourceType(
        "APIServerConfigs.kubernetes.talos.dev",
        "APIServerConfig",
        "controlplane",
        is_sensitive=True,
    ),
    ResourceType(
        "ControllerManagerConfigs.kubernetes.talos.dev", "ControllerManagerConfig", "controlplane"
    ),
    ResourceType("SchedulerConfigs.kubernetes.talos.dev", "SchedulerConfig", "controlplane"),
    ResourceType("Manifests.kubernetes.talos.dev", "Manifest", "controlplane"),
    ResourceType("ManifestStatuses.kubernetes.talos.dev", "ManifestStatus", "controlplane"),
    ResourceType(
        "EtcdMembers.etcd.talos.dev", "EtcdMember", "etcd", (("Member ID", "{.memberID}"),)
    ),
    ResourceType(
        "Diagnostics.runtime.talos.dev", "Diagnostic", "runtime", (("Message", "{.message}"),)
    ),
    ResourceType(
        "Versions.runtime.talos.dev",
        "Version",
        "runtime",
        (("Name", "{.name}"), ("Version", "{.version}")),
    ),
    ResourceType(
        "MetaKeys.runtime.talos.dev", "MetaKey", "runtime", (("Value", "{.value}"),), ("meta",)
    ),
    ResourceType(
        "ExtensionStatuses.runtime.talos.dev",
        "ExtensionStatus",
        "runtime",
        (("Name", "{.metadata.name}"), ("Version", "{.metadata.version}")),
        ("extensions",),
    ),
    ResourceType(
        "TimeStatuses.v1alpha1.talos.dev", "TimeStatus", "runtime", (("Synced", "{.synced}"),)
    ),
    ResourceType(
        "SystemInformations.hardware.talos.dev",
        "SystemInformation",
        "hardware",
        _SYSTEM_COLUMNS,
        ("systeminformation",),
    ),
)

RESOURCE_TYPES: Mapping[str, ResourceType] = {kind.name: kind for kind in _TYPES}

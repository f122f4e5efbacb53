"""Machines and the cluster they form."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from inventory.model._basics import JsonObject, Position


class Role(StrEnum):
    """What a machine is in its cluster, in Talos' own words."""

    CONTROL_PLANE = "controlplane"
    WORKER = "worker"


@dataclass(frozen=True, slots=True)
class Interface:
    """One entry of a node's `networkInterfaces`."""

    name: str  # empty when only a deviceSelector is given
    mac: str  # deviceSelector.hardwareAddr or bond slaves' permanentAddr, lower case
    addresses: tuple[str, ...]
    vip: str


@dataclass(frozen=True, slots=True)
class Node:
    """One machine that talconfig declares.

    Attributes:
        address: First address, substituted; empty when it cannot be known.
        address_expression: As written, e.g. `${MASTER1IP_IP}`.
        disk_selector: `installDiskSelector` as written; empty when `install_disk` is set.
        schematic: The effective schematic (the node's own, else its group's); empty when none.
        talos_image: `talosImageURL`, which overrides the schematic.
    """

    hostname: str
    address: str
    addresses: tuple[str, ...]
    address_expression: str
    role: Role
    install_disk: str
    disk_selector: JsonObject = field(hash=False)
    interfaces: tuple[Interface, ...] = ()
    schematic: JsonObject = field(default_factory=dict, hash=False)
    extensions: tuple[str, ...] = ()
    kernel_arguments: tuple[str, ...] = ()
    talos_image: str = ""
    talos_version: str = ""
    patches: tuple[str, ...] = ()
    raw: JsonObject = field(default_factory=dict, hash=False, repr=False)
    position: Position = Position("")

    @property
    def is_control_plane(self) -> bool:
        """Say whether the node runs the control plane."""
        return self.role is Role.CONTROL_PLANE

    @property
    def macs(self) -> tuple[str, ...]:
        """Hardware addresses named by device selectors, lower case."""
        return tuple(interface.mac for interface in self.interfaces if interface.mac)

    @property
    def interface_names(self) -> tuple[str, ...]:
        """Names of the interfaces that the node declares."""
        return tuple(interface.name for interface in self.interfaces if interface.name)


@dataclass(frozen=True, slots=True)
class TalosConfig:
    """`talconfig.yaml`, substituted with the cluster's variables.

    Attributes:
        path: POSIX path of talconfig.yaml.
        endpoint: `https://host:port` of the Kubernetes API.
        vip: The shared address of the control planes; empty without one.
        patch_files: Every `@file` that talconfig names, as repository paths.
        missing_patch_files: Those of them that Git does not hold.
        raw: The document after substitution.
    """

    path: str
    cluster_name: str
    talos_version: str
    kubernetes_version: str
    endpoint: str
    vip: str
    nodes: tuple[Node, ...]
    pod_nets: tuple[str, ...]
    service_nets: tuple[str, ...]
    cni_name: str
    allow_scheduling_on_control_planes: bool
    domain: str = "cluster.local"
    patch_files: tuple[str, ...] = ()
    missing_patch_files: tuple[str, ...] = ()
    variables_used: tuple[str, ...] = ()
    variables_undefined: tuple[str, ...] = ()
    raw: JsonObject = field(default_factory=dict, hash=False, repr=False)
    position: Position = Position("")

    @property
    def control_planes(self) -> tuple[Node, ...]:
        """Control planes, in file order."""
        return tuple(node for node in self.nodes if node.is_control_plane)

    @property
    def workers(self) -> tuple[Node, ...]:
        """Workers, in file order."""
        return tuple(node for node in self.nodes if not node.is_control_plane)

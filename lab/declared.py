"""What a repository declares of its machines, as the lab makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from inventory import Inventory, Node
from inventory.objects import get_text
from lab.hardware_file import read_hardware
from lab.machines import DiskSelector, Hardware, MachineSpec, derive_hardware

__all__ = ["find_addresses", "find_registries", "make_specs"]

_FACTORY = "factory.talos.dev"  # talhelper's default registry of installers


def find_addresses(inventory: Inventory) -> Sequence[str]:
    """Return the addresses of the machines, and the VIP."""
    if inventory.talos is None:
        return ()
    addresses = [node.address for node in inventory.talos.nodes]
    return [*addresses, *([inventory.talos.vip] if inventory.talos.vip else [])]


def find_registries(inventory: Inventory) -> set[str]:
    """Return the hosts that the cluster's installer images come from."""
    if inventory.talos is None:
        return set()
    factory = get_text(inventory.talos.raw, "imageFactory", "registryURL") or _FACTORY
    own = {node.talos_image.partition("/")[0] for node in inventory.talos.nodes}
    return {factory, *own} - {""}


def make_specs(
    inventory: Inventory, addresses: Mapping[str, str], described: Path
) -> list[MachineSpec]:
    """Describe the machines; `described` is the user's own file of their hardware, if any."""
    talos = inventory.talos
    if talos is None:
        return []
    hardware = read_hardware(
        described, {node.hostname: _derive_hardware(node) for node in talos.nodes}
    )
    return [
        MachineSpec(
            name=node.hostname,
            role=node.role.value,
            address=node.address,
            loopback=addresses[node.address],
            hardware=hardware[node.hostname],
            vip=talos.vip if node.is_control_plane else "",
            vip_loopback=addresses.get(talos.vip, "") if node.is_control_plane else "",
            talos_version=node.talos_version or talos.talos_version,
        )
        for node in talos.nodes
    ]


def _derive_hardware(node: Node) -> Hardware:
    return derive_hardware(
        node.hostname,
        disk=node.install_disk,
        selector=_selector_of(node),
        interface=next(iter(node.interface_names), "eth0"),
        mac=next(iter(node.macs), ""),
    )


def _selector_of(node: Node) -> DiskSelector:
    given = {key: str(value) for key, value in node.disk_selector.items()}
    return DiskSelector(
        size=given.get("size", ""),
        model=given.get("model", ""),
        serial=given.get("serial", ""),
        wwid=given.get("wwid", ""),
        type=given.get("type", ""),
        bus_path=given.get("busPath", ""),
    )

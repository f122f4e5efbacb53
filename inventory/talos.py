"""Read `talconfig.yaml`, the file that declares a Talos cluster.

Fields: budimanjojo/talhelper v3.1 `pkg/config/config.go`. A node's own schematic, disk and patches
come before those of its group (`controlPlane`, `worker`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from inventory.documents import Document
from inventory.model import Interface, Json, JsonObject, Node, Position, Role, TalosConfig
from inventory.objects import (
    get,
    get_flag,
    get_mapping,
    get_mappings,
    get_strings,
    get_text,
)
from inventory.substitution import SubstitutionError, references, substitute_known
from inventory.tree import Tree, join, normalise, parent


def read_talconfig(
    tree: Tree, document: Document, values: Mapping[str, str], known: frozenset[str]
) -> TalosConfig:
    """Return talconfig with `values` filled in; `known` are all names that would be defined."""
    filled = substitute_known(document.value, values)
    raw: JsonObject = filled if isinstance(filled, Mapping) else {}
    nodes = tuple(_read_nodes(document, raw))
    used = tuple(sorted(set(_names(document.value))))
    files = tuple(sorted(set(_patch_files(raw, parent(document.path)))))
    return TalosConfig(
        path=document.path,
        cluster_name=get_text(raw, "clusterName"),
        talos_version=get_text(raw, "talosVersion"),
        kubernetes_version=get_text(raw, "kubernetesVersion"),
        endpoint=get_text(raw, "endpoint"),
        vip=next((i.vip for node in nodes for i in node.interfaces if i.vip), ""),
        nodes=nodes,
        pod_nets=get_strings(raw, "clusterPodNets"),
        service_nets=get_strings(raw, "clusterSvcNets"),
        cni_name=get_text(raw, "cniConfig", "name"),
        allow_scheduling_on_control_planes=get_flag(raw, "allowSchedulingOnControlPlanes")
        or get_flag(raw, "allowSchedulingOnMasters"),
        domain=get_text(raw, "domain", default="cluster.local"),
        patch_files=files,
        missing_patch_files=tuple(file for file in files if not tree.is_file(file)),
        variables_used=used,
        variables_undefined=tuple(name for name in used if name not in known),
        raw=raw,
        position=document.position,
    )


def _read_nodes(document: Document, raw: JsonObject) -> Iterator[Node]:
    written = get(document.value, "nodes")
    filled = get(raw, "nodes")
    if not isinstance(written, list) or not isinstance(filled, list):
        return
    places = document.locate_items("nodes")
    for node, original, place in zip(filled, written, places, strict=False):
        if isinstance(node, Mapping) and isinstance(original, Mapping):
            yield _read_node(node, original, raw, place)


def _read_node(node: JsonObject, written: JsonObject, raw: JsonObject, place: Position) -> Node:
    role = Role.CONTROL_PLANE if get_flag(node, "controlPlane") else Role.WORKER
    group = get_mapping(raw, "controlPlane" if role is Role.CONTROL_PLANE else "worker")
    schematic = get_mapping(node, "schematic") or get_mapping(group, "schematic")
    customization = get_mapping(schematic, "customization")
    addresses = _split(get_text(node, "ipAddress"))
    interfaces = get_mappings(node, "networkInterfaces") or get_mappings(group, "networkInterfaces")
    image = get_text(node, "talosImageURL") or get_text(group, "talosImageURL")
    return Node(
        hostname=get_text(node, "hostname"),
        address=addresses[0] if addresses and "$" not in addresses[0] else "",
        addresses=addresses,
        address_expression=get_text(written, "ipAddress"),
        role=role,
        install_disk=get_text(node, "installDisk"),
        disk_selector=get_mapping(node, "installDiskSelector"),
        interfaces=tuple(_read_interface(item) for item in interfaces),
        schematic=schematic,
        extensions=get_strings(customization, "systemExtensions", "officialExtensions"),
        kernel_arguments=get_strings(customization, "extraKernelArgs"),
        talos_image=image,
        talos_version=image.rpartition(":")[2] if ":v" in image else "",
        patches=get_strings(group, "patches") + get_strings(node, "patches"),
        raw=node,
        position=place,
    )


def _read_interface(item: JsonObject) -> Interface:
    mac = get_text(item, "deviceSelector", "hardwareAddr")
    return Interface(
        name=get_text(item, "interface"),
        mac=(mac or get_text(item, "deviceSelector", "permanentAddr")).lower(),
        addresses=get_strings(item, "addresses"),
        vip=get_text(item, "vip", "ip") or _vlan_vip(item),
    )


def _vlan_vip(item: JsonObject) -> str:
    found = (get_text(vlan, "vip", "ip") for vlan in get_mappings(item, "vlans"))
    return next((vip for vip in found if vip), "")


def _split(addresses: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in addresses.split(",") if part.strip())


def _patch_files(raw: JsonObject, folder: str) -> Iterator[str]:
    owners: Sequence[JsonObject] = (
        raw,
        get_mapping(raw, "controlPlane"),
        get_mapping(raw, "worker"),
        *get_mappings(raw, "nodes"),
    )
    for owner in owners:
        for patch in get_strings(owner, "patches"):
            if patch.startswith("@"):
                target = normalise(join(folder, patch[1:]))
                if target is not None:
                    yield target


def _names(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        try:
            found = [reference.name for reference in references(value)]
        except SubstitutionError:
            return
        yield from found
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _names(item)
    elif isinstance(value, list):
        for item in value:
            yield from _names(item)

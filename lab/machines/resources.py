"""What a machine's COSI resources say, computed from the machine when somebody asks.

Specs carry the YAML keys of `pkg/machinery/resources` of Talos v1.13.9, in its order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from lab.machines.faults import Fault
from lab.machines.machine import Machine
from lab.machines.protos import common_pb2, specs_pb2
from lab.machines.resources_block import (
    list_discovered,
    list_disks,
    list_system_disk,
    list_volumes,
)
from lab.machines.resources_kubernetes import (
    list_component,
    list_kubelet_spec,
    list_manifest_status,
    list_manifests,
    list_static_pods,
)
from lab.machines.table import MachineTable
from lab.machines.values import Json, Value

__all__ = ["list_values"]

_STAGE_NUMBERS = {  # talos.resource.definitions.enums.RuntimeMachineStage
    "unknown": 0,
    "booting": 1,
    "installing": 2,
    "maintenance": 3,
    "running": 4,
    "rebooting": 5,
    "shutting down": 6,
    "resetting": 7,
    "upgrading": 8,
}
_MACHINE_TYPES = {"init": 1, "controlplane": 2, "worker": 3}


def list_values(machine: Machine, table: MachineTable, kind: str) -> list[Value]:
    """List a type's resources on this machine; an unknown type has none."""
    source = _SOURCES.get(kind)
    return list(source(machine, table)) if source else []


def _list_machine_status(machine: Machine, _: MachineTable) -> Iterator[Value]:
    boot = machine.boot
    unmet = [specs_pb2.UnmetCondition(name=name, reason=reason) for name, reason in boot.unmet]
    yield Value(
        "machine",
        {
            "stage": boot.stage.value,
            "status": {
                "ready": boot.ready,
                "unmetConditions": [
                    {"name": name, "reason": reason} for name, reason in boot.unmet
                ],
            },
        },
        specs_pb2.MachineStatusSpec(
            stage=_STAGE_NUMBERS[boot.stage.value],
            status=specs_pb2.MachineStatusStatus(ready=boot.ready, unmet_conditions=unmet),
        ),
    )


def _list_members(machine: Machine, table: MachineTable) -> Iterator[Value]:
    for peer in table.list_peers(machine):
        config = peer.config
        if config is None or not peer.boot.services.is_up("cri"):
            continue
        control_plane: Json = {"port": 6443} if config.is_control_plane else None
        spec: dict[str, Json] = {
            "nodeId": peer.hardware.uuid,
            "addresses": [peer.spec.address],
            "hostname": peer.hostname,
            "machineType": config.machine_type,
            "operatingSystem": f"Talos ({peer.boot.version})",
        }
        if control_plane:
            spec["controlPlane"] = control_plane
        address = bytes(int(part) for part in peer.spec.address.split("."))
        yield Value(
            peer.hostname,
            spec,
            specs_pb2.MemberSpec(
                node_id=peer.hardware.uuid,
                addresses=[common_pb2.NetIP(ip=address)],
                hostname=peer.hostname,
                machine_type=_MACHINE_TYPES[config.machine_type],
                operating_system=f"Talos ({peer.boot.version})",
            ),
        )


def _list_addresses(machine: Machine, _: MachineTable) -> Iterator[Value]:
    link = machine.hardware.nics[0].name
    for address, name, scope in (
        ("127.0.0.1/8", "lo", "host"),
        (f"{machine.spec.address}/24", link, "global"),
    ):
        yield Value(
            f"{name}/{address}",
            {
                "address": address,
                "linkIndex": 1 if name == "lo" else 2,
                "linkName": name,
                "family": "inet4",
                "scope": scope,
                "flags": "permanent",
            },
        )


def _list_node_addresses(machine: Machine, _: MachineTable) -> Iterator[Value]:
    for name in ("current", "routed", "default"):
        spec: dict[str, Json] = {"addresses": [f"{machine.spec.address}/24"], "sortAlgorithm": "v1"}
        yield Value(name, spec)


def _list_links(machine: Machine, _: MachineTable) -> Iterator[Value]:
    yield Value("lo", _describe_link("00:00:00:00:00:00", "loopback", index=1))
    for index, nic in enumerate(machine.hardware.nics, 2):
        spec = _describe_link(nic.mac, "ether", index=index)
        yield Value(nic.name, {**spec, "driver": nic.driver, "speedMbit": 1000})


def _describe_link(mac: str, kind: str, *, index: int) -> dict[str, Json]:
    return {
        "index": index,
        "type": kind,
        "linkIndex": 0,
        "flags": "UP,RUNNING",
        "hardwareAddr": mac,
        "permanentAddr": mac,
        "broadcastAddr": "ff:ff:ff:ff:ff:ff",
        "mtu": 1500 if kind == "ether" else 65536,
        "queueDisc": "pfifo_fast",
        "operationalState": "up" if kind == "ether" else "unknown",
        "kind": "",
        "slaveKind": "",
        "linkState": True,
        "port": "TwistedPair",
        "duplex": "Full",
    }


def _list_hostname(machine: Machine, _: MachineTable) -> Iterator[Value]:
    yield Value("hostname", {"hostname": machine.hostname, "domainname": ""})


def _list_services(machine: Machine, _: MachineTable) -> Iterator[Value]:
    # The resource exists only while the service runs.
    for service in filter(lambda item: item.is_running, machine.boot.services.get_all()):
        running, healthy, unknown = service.is_running, bool(service.health), service.health is None
        yield Value(
            service.id,
            {"running": running, "healthy": healthy, "unknown": unknown},
            specs_pb2.ServiceSpec(running=running, healthy=healthy, unknown=unknown),
        )


def _list_nodename(machine: Machine, _: MachineTable) -> Iterator[Value]:
    if machine.config is not None:
        name = machine.hostname
        yield Value("nodename", {"nodename": name}, specs_pb2.NodenameSpec(nodename=name))


def _list_node_status(machine: Machine, table: MachineTable) -> Iterator[Value]:
    if machine.boot.node_told is not None:
        ready = table.plane.is_node_ready(machine.hostname)
        spec: dict[str, Json] = {
            "nodename": machine.hostname,
            "nodeReady": ready,
            "unschedulable": table.plane.keeper.is_cordoned(machine.hostname),
        }
        yield Value(machine.hostname, spec)


def _list_machine_config(machine: Machine, _: MachineTable) -> Iterator[Value]:
    config = machine.config
    if config is not None:
        typed = specs_pb2.MachineConfigSpec(yaml_marshalled=config.raw)
        yield Value("v1alpha1", config.raw.decode(), typed)
        yield Value("persistent", config.raw.decode(), typed)


def _list_machine_type(machine: Machine, _: MachineTable) -> Iterator[Value]:
    yield Value("machine-type", machine.config.machine_type if machine.config else "unknown")


def _list_etcd_member(machine: Machine, _: MachineTable) -> Iterator[Value]:
    if machine.etcd is not None and machine.etcd.member.is_started:
        yield Value("local", {"memberID": f"{machine.etcd.member.id:016x}"})


def _list_version(machine: Machine, _: MachineTable) -> Iterator[Value]:
    yield Value("version", {"version": machine.boot.version, "name": "Talos"})


def _list_meta(machine: Machine, _: MachineTable) -> Iterator[Value]:
    meta = machine.install.meta if machine.install else {}
    for key, value in sorted(meta.items()):
        yield Value(f"0x{key:02x}", {"value": value.decode("utf-8", "replace")})


def _list_extensions(machine: Machine, _: MachineTable) -> Iterator[Value]:
    for index, image in enumerate(machine.config.extensions if machine.config else ()):
        name, _colon, version = image.rpartition(":")
        yield _describe_extension(index, name.rpartition("/")[2], version)
    if machine.boot.image.schematic:
        # The image factory adds an extension that does nothing but name the schematic.
        yield _describe_extension(999, "schematic", machine.boot.image.schematic)


def _describe_extension(index: int, name: str, version: str) -> Value:
    metadata = {"name": name, "version": version}
    return Value(str(index), {"image": f"{index:03d}.{name}.sqsh", "metadata": metadata})


def _list_time(machine: Machine, _: MachineTable) -> Iterator[Value]:
    synced = not machine.has_fault(Fault.TIME_NOT_SYNCED)
    yield Value("node", {"synced": synced, "epoch": 0, "syncDisabled": False})


def _list_system(machine: Machine, _: MachineTable) -> Iterator[Value]:
    hardware = machine.hardware
    yield Value(
        "systeminformation",
        {
            "manufacturer": hardware.manufacturer,
            "productName": hardware.product,
            "serialnumber": hardware.serial,
            "uuid": hardware.uuid,
        },
    )


_SOURCES: Mapping[str, Callable[[Machine, MachineTable], Iterator[Value]]] = {
    "MachineStatuses.runtime.talos.dev": _list_machine_status,
    "Members.cluster.talos.dev": _list_members,
    "Disks.block.talos.dev": list_disks,
    "DiscoveredVolumes.block.talos.dev": list_discovered,
    "SystemDisks.block.talos.dev": list_system_disk,
    "VolumeStatuses.block.talos.dev": list_volumes,
    "AddressStatuses.net.talos.dev": _list_addresses,
    "NodeAddresses.net.talos.dev": _list_node_addresses,
    "LinkStatuses.net.talos.dev": _list_links,
    "HostnameStatuses.net.talos.dev": _list_hostname,
    "Services.v1alpha1.talos.dev": _list_services,
    "Nodenames.kubernetes.talos.dev": _list_nodename,
    "NodeStatuses.kubernetes.talos.dev": _list_node_status,
    "MachineConfigs.config.talos.dev": _list_machine_config,
    "MachineTypes.config.talos.dev": _list_machine_type,
    "KubeletSpecs.kubernetes.talos.dev": list_kubelet_spec,
    "StaticPods.kubernetes.talos.dev": list_static_pods,
    "APIServerConfigs.kubernetes.talos.dev": list_component("kube-apiserver"),
    "ControllerManagerConfigs.kubernetes.talos.dev": list_component("kube-controller-manager"),
    "SchedulerConfigs.kubernetes.talos.dev": list_component("kube-scheduler"),
    "Manifests.kubernetes.talos.dev": list_manifests,
    "ManifestStatuses.kubernetes.talos.dev": list_manifest_status,
    "EtcdMembers.etcd.talos.dev": _list_etcd_member,
    "Versions.runtime.talos.dev": _list_version,
    "MetaKeys.runtime.talos.dev": _list_meta,
    "ExtensionStatuses.runtime.talos.dev": _list_extensions,
    "TimeStatuses.v1alpha1.talos.dev": _list_time,
    "SystemInformations.hardware.talos.dev": _list_system,
}

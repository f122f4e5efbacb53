"""The machine config as a machine reads it: the fields that the lab acts on.

Sources: Talos v1.13 config reference (v1alpha1, HostnameConfig, Layer2VIPConfig), the texts of
`configloader` and `v1alpha1_validation.go`.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import yaml

from lab.machines.components import COMPONENTS, DEFAULT_KUBERNETES, Component
from lab.machines.config_manifests import read_manifests
from lab.machines.hardware import Disk, DiskSelector
from lab.machines.images import read_tag
from lab.machines.storage import UserVolume, read_user_volumes
from lab.machines.yamltree import Tree
from lab.ports import TalosManifests

__all__ = ["ConfigError", "MachineConfig", "parse_config", "write_problems"]

_TOP_LEVEL = frozenset({"version", "debug", "persist", "machine", "cluster"})
_CONTROL_PLANE_TAINT = ("node-role.kubernetes.io/control-plane", "", "NoSchedule")


class ConfigError(ValueError):
    """The machine config does not parse or validate; the text is Talos' own."""


@dataclass(frozen=True, slots=True)
class MachineConfig:
    """One machine's applied config. Certificates and keys are PEM; `raw` is what was sent."""

    raw: bytes = field(repr=False)
    machine_type: str  # `controlplane` or `worker`
    ca_crt: bytes
    ca_key: bytes = field(repr=False)  # empty on workers
    cluster_name: str
    cluster_id: str
    endpoint: str  # https://VIP:6443
    kubernetes_ca_crt: bytes = b""
    kubernetes_ca_key: bytes = field(default=b"", repr=False)
    etcd_ca_crt: bytes = b""
    etcd_ca_key: bytes = field(default=b"", repr=False)
    service_account_key: bytes = field(default=b"", repr=False)
    secretbox_secret: str = field(default="", repr=False)
    cert_sans: tuple[str, ...] = ()
    api_cert_sans: tuple[str, ...] = ()
    hostname: str = ""
    vip: str = ""
    install_disk: str = ""
    install_selector: DiskSelector | None = None
    install_image: str = ""
    install_wipe: bool = False
    has_install: bool = False
    extensions: tuple[str, ...] = ()
    kubelet_image: str = ""
    kubelet_version: str = ""
    admission_control: str = ""  # of the API server, JSON
    components: tuple[Component, ...] = ()  # of the control plane; empty on workers
    rotates_server_certificates: bool = False
    has_external_cloud: bool = False
    skips_node_registration: bool = False  # the kubelet registers no node
    node_labels: Mapping[str, str] = field(default_factory=dict)
    node_taints: tuple[tuple[str, str, str], ...] = ()
    manifests: TalosManifests = TalosManifests()  # frozen
    user_volumes: tuple[UserVolume, ...] = ()
    documents: tuple[str, ...] = ()  # kinds of the documents beside v1alpha1

    @property
    def is_control_plane(self) -> bool:
        """Tell whether this is a control plane's config."""
        return self.machine_type == "controlplane"

    def find_install_problem(self, disks: Sequence[Disk]) -> str:
        """Say why Talos could not be installed by this config, "" when it could."""
        if not self.has_install:
            is_unattended = "UnattendedInstallConfig" in self.documents
            return "" if is_unattended else 'install instructions are required in "metal" mode'
        if not self.install_disk and self.install_selector is None:
            return "either install disk or diskSelector should be defined"
        if self.install_selector is None or self.install_selector.find_disks(disks):
            return ""
        return f"no disks matched the expression: {self.install_selector.write_expression()}"

    def find_install_disks(self, disks: Sequence[Disk]) -> tuple[Disk, ...]:
        """Find the disks that `machine.install` means; Talos takes the first."""
        if self.install_selector is not None:
            return self.install_selector.find_disks(disks)
        return tuple(disk for disk in disks if disk.has_path(self.install_disk))


def parse_config(raw: bytes) -> MachineConfig:
    """Parse and validate a (multi-document) machine config.

    Raises:
        ConfigError: with the text that ApplyConfiguration answers as InvalidArgument.
    """
    try:
        documents = [Tree(item) for item in yaml.load_all(raw, yaml.CSafeLoader) if item]
    except yaml.YAMLError as error:
        raise ConfigError(f"yaml: {error}") from error
    main = next((item for item in documents if not item.at("kind")), None)
    others = {item.at("kind").text(): item for item in documents if item.at("kind")}
    if main is None:
        raise ConfigError(
            "the applied machine configuration doesn't contain v1alpha1 config, "
            "did you mean to patch the machine config instead?"
        )
    _validate(main)
    config = _read(raw, main, others)
    return replace(config, user_volumes=read_user_volumes(documents))


def _validate(main: Tree) -> None:
    if isinstance(main.value, Mapping) and (unknown := set(main.value) - _TOP_LEVEL):
        raise ConfigError(f"unknown keys found during decoding:\n{', '.join(sorted(unknown))}")
    problems = []
    if not main.at("cluster"):
        problems.append("cluster instructions are required")
    elif not main.at("cluster", "controlPlane", "endpoint").text():
        problems.append("cluster controlplane endpoint is missing")
    if not main.at("machine"):
        problems.append("machine instructions are required")
    else:
        problems += _find_machine_problems(main.at("machine"))
    if problems:
        raise ConfigError(write_problems(problems))


def _find_machine_problems(machine: Tree) -> list[str]:
    problems = []
    kind = machine.at("type").text()
    if kind not in {"controlplane", "worker"}:
        problems.append(f'invalid machine type: "{kind}"')
    if not machine.at("ca", "crt").text():
        problems.append("issuing CA is missing (.machine.ca)")
    return problems


def write_problems(problems: Sequence[str]) -> str:
    """Write problems the way Talos' validation does."""
    count = "1 error" if len(problems) == 1 else f"{len(problems)} errors"
    return f"{count} occurred:\n" + "".join(f"\t* {problem}\n" for problem in problems) + "\n"


def _read(raw: bytes, main: Tree, others: Mapping[str, Tree]) -> MachineConfig:
    machine, cluster = main.at("machine"), main.at("cluster")
    install, kubelet = machine.at("install"), machine.at("kubelet")
    return MachineConfig(
        raw=raw,
        machine_type=machine.at("type").text(),
        ca_crt=_decode(machine.at("ca", "crt")),
        ca_key=_decode(machine.at("ca", "key")),
        cluster_name=cluster.at("clusterName").text(),
        cluster_id=cluster.at("id").text(),
        endpoint=cluster.at("controlPlane", "endpoint").text(),
        kubernetes_ca_crt=_decode(cluster.at("ca", "crt")),
        kubernetes_ca_key=_decode(cluster.at("ca", "key")),
        etcd_ca_crt=_decode(cluster.at("etcd", "ca", "crt")),
        etcd_ca_key=_decode(cluster.at("etcd", "ca", "key")),
        service_account_key=_decode(cluster.at("serviceAccount", "key")),
        secretbox_secret=cluster.at("secretboxEncryptionSecret").text(),
        cert_sans=machine.at("certSANs").texts(),
        api_cert_sans=cluster.at("apiServer", "certSANs").texts(),
        hostname=machine.at("network", "hostname").text()
        or others.get("HostnameConfig", Tree(None)).at("hostname").text(),
        vip=_read_vip(machine, others),
        install_disk=install.at("disk").text(),
        install_selector=_read_selector(install.at("diskSelector")),
        install_image=install.at("image").text(),
        install_wipe=install.at("wipe").flag(),
        has_install=bool(install),
        extensions=tuple(item.at("image").text() for item in install.at("extensions").items()),
        kubelet_image=kubelet.at("image").text(),
        kubelet_version=read_tag(kubelet.at("image").text()),
        admission_control=_dump(cluster.at("apiServer", "admissionControl")),
        components=_read_components(machine, cluster),
        rotates_server_certificates=kubelet.at("extraArgs", "rotate-server-certificates").flag()
        or kubelet.at("extraConfig", "serverTLSBootstrap").flag(),
        has_external_cloud=cluster.at("externalCloudProvider", "enabled").flag()
        or kubelet.at("extraArgs", "cloud-provider").text() == "external",
        skips_node_registration=kubelet.at("skipNodeRegistration").flag(),
        node_labels=machine.at("nodeLabels").mapping(),
        node_taints=_read_taints(machine, cluster),
        manifests=read_manifests(machine, cluster),
        documents=tuple(others),
    )


def _read_components(machine: Tree, cluster: Tree) -> tuple[Component, ...]:
    version = read_tag(machine.at("kubelet", "image").text())
    if machine.at("type").text() != "controlplane":
        return ()
    found = []
    for key, name in COMPONENTS.items():
        image = cluster.at(key, "image").text()
        arguments = cluster.at(key, "extraArgs").mapping().items()
        found.append(
            Component(
                name,
                image or f"registry.k8s.io/{name}:{version or DEFAULT_KUBERNETES}",
                tuple(f"--{flag}={value}" for flag, value in arguments),
            )
        )
    return tuple(found)


def _read_selector(tree: Tree) -> DiskSelector | None:
    if not tree:
        return None
    fields = ("size", "model", "serial", "modalias", "uuid", "wwid", "type")
    given = {name: tree.at(name).text() for name in fields}
    try:
        return DiskSelector(**given, bus_path=tree.at("busPath").text())
    except ValueError as error:
        raise ConfigError(write_problems([f"install disk selector is invalid: {error}"])) from error


def _read_vip(machine: Tree, others: Mapping[str, Tree]) -> str:
    for interface in machine.at("network", "interfaces").items():
        vips = (interface.at("vip", "ip"), *_vlan_vips(interface))
        if found := next((vip.text() for vip in vips if vip), ""):
            return found
    return others.get("Layer2VIPConfig", Tree(None)).at("name").text()


def _vlan_vips(interface: Tree) -> tuple[Tree, ...]:
    return tuple(vlan.at("vip", "ip") for vlan in interface.at("vlans").items())


def _read_taints(machine: Tree, cluster: Tree) -> tuple[tuple[str, str, str], ...]:
    taints = []
    schedules = cluster.at("allowSchedulingOnControlPlanes").flag()
    if machine.at("type").text() == "controlplane" and not schedules:
        taints.append(_CONTROL_PLANE_TAINT)
    for key, text in machine.at("nodeTaints").mapping().items():
        value, _, effect = text.rpartition(":")
        taints.append((key, value, effect))
    return tuple(taints)


def _dump(tree: Tree) -> str:
    return json.dumps(tree.value, default=str) if tree else ""


def _decode(tree: Tree) -> bytes:
    try:
        return base64.b64decode(tree.text(), validate=True)
    except binascii.Error as error:
        raise ConfigError("illegal base64 data in a certificate or key") from error

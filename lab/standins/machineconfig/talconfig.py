"""talconfig.yaml as talhelper reads it: substituted, checked, node groups folded into nodes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lab.standins.machineconfig.substitution import SubstitutionError, substitute
from lab.standins.machineconfig.yaml_door import YamlError, load_document
from lab.standins.values import Json, JsonMap, as_list, as_map, as_text

__all__ = ["Contract", "Node", "Talconfig", "TalconfigError", "load_talconfig"]

# The newest Talos that the linked talhelper knows: used when talconfig names none.
_LATEST_TALOS = "v1.13.8"
# `pkg/machinery/compatibility`: Talos minor to the Kubernetes minors it runs.
_KUBERNETES_RANGE = {
    10: (28, 33),
    11: (29, 34),
    12: (30, 35),
    13: (31, 36),
    14: (32, 37),
}
_VERSION = re.compile(r"^v?(\d+)\.(\d+)")
_Report = Callable[[str, str], None]
_APPENDED = ("patches", "extraManifests", "certSANs")
_OVERRIDES = {
    "patches": "overridePatches",
    "extraManifests": "overrideExtraManifests",
    "certSANs": "overrideMachineCertSANs",
}


class TalconfigError(Exception):
    """A talconfig that talhelper refuses.

    Attributes:
        findings: Field to messages, printed before the error itself.
    """

    def __init__(self, message: str, findings: Mapping[str, list[str]] | None = None) -> None:
        super().__init__(message)
        self.findings = dict(findings or {})


@dataclass(frozen=True, slots=True, order=True)
class Contract:
    """Talos' major and minor, which decide how a machine config is written."""

    major: int
    minor: int

    @property
    def has_network_documents(self) -> bool:
        """Since 1.12 hostname, resolvers, links and VIP are documents of their own."""
        return self > Contract(1, 11)

    @property
    def has_kubespan_document(self) -> bool:
        """Since 1.13 `machine.network` is not written at all."""
        return self > Contract(1, 12)


@dataclass(frozen=True, slots=True)
class Node:
    """One node with its group's settings folded in; `settings` keeps talconfig's keys."""

    hostname: str
    addresses: tuple[str, ...]
    is_control_plane: bool
    settings: JsonMap

    @property
    def patches(self) -> list[str]:
        """Group patches first, then the node's own."""
        return [as_text(item) for item in as_list(self.settings.get("patches"))]


@dataclass(frozen=True, slots=True)
class Talconfig:
    """A talconfig that passed talhelper's checks."""

    cluster_name: str
    talos_version: str
    kubernetes_version: str
    endpoint: str
    nodes: tuple[Node, ...]
    settings: JsonMap

    @property
    def contract(self) -> Contract:
        """The version contract of `talosVersion`."""
        match = _VERSION.match(self.talos_version)
        return Contract(int(match[1]), int(match[2])) if match else Contract(1, 13)

    def texts(self, key: str) -> list[str]:
        """A top-level list of texts."""
        return [as_text(item) for item in as_list(self.settings.get(key))]


def load_talconfig(path: Path, variables: Mapping[str, str]) -> Talconfig:
    """Read, substitute and check a talconfig.

    Raises:
        TalconfigError: Worded as talhelper words it.
    """
    if not path.is_file():
        raise TalconfigError(f"failed to read config file: {path} doesn't exist.")
    try:
        text = substitute(path.read_text(errors="replace"), variables)
    except (SubstitutionError, YamlError) as error:
        raise TalconfigError(f"failed to substitute env: {error}") from error
    settings = as_map(_resolve_paths(load_document(text), (), path.parent.resolve()))
    findings = _check(settings)
    if findings:
        raise TalconfigError("please fix issues with your config file", findings)
    talos = as_text(settings.get("talosVersion")) or _LATEST_TALOS
    return Talconfig(
        cluster_name=as_text(settings.get("clusterName")),
        talos_version=talos if talos.startswith("v") else f"v{talos}",
        kubernetes_version=as_text(settings.get("kubernetesVersion")).removeprefix("v"),
        endpoint=as_text(settings.get("endpoint")),
        nodes=tuple(_make_node(as_map(item), settings) for item in as_list(settings.get("nodes"))),
        settings=settings,
    )


def _make_node(node: JsonMap, settings: JsonMap) -> Node:
    is_control_plane = node.get("controlPlane") is True
    group = as_map(settings.get("controlPlane" if is_control_plane else "worker"))
    return Node(
        hostname=as_text(node.get("hostname")),
        addresses=tuple(part.strip() for part in as_text(node.get("ipAddress")).split(",")),
        is_control_plane=is_control_plane,
        settings=_fold(node, group),
    )


def _fold(node: JsonMap, group: JsonMap) -> JsonMap:
    folded = dict(node)
    for key, value in group.items():
        if key in _APPENDED and node.get(_OVERRIDES[key]) is not True:
            own, shared = as_list(node.get(key)), as_list(value)
            # talhelper puts the group's patches first, everything else last.
            folded[key] = [*shared, *own] if key == "patches" else [*own, *shared]
        elif not folded.get(key):
            folded[key] = value
    return folded


def _resolve_paths(value: Json, path: tuple[str, ...], folder: Path) -> Json:
    if isinstance(value, dict):
        return {key: _resolve_paths(item, (*path, key), folder) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolve_paths(item, path, folder) for item in value]
    if not isinstance(value, str):
        return value
    if "extraManifests" in path and not value.startswith("@"):
        value = f"@{value}"
    is_file = {"extraManifests", "machineFiles", "patches", "inlineManifests"} & set(path)
    if not is_file or not value.startswith("@") or not value[1:].strip():
        return value
    # os.path.join semantics: an absolute path stays, `./` is cleaned away.
    return f"@{folder / value[1:].strip()}"


def _check(settings: JsonMap) -> dict[str, list[str]]:
    findings: dict[str, list[str]] = {}

    def report(field: str, message: str) -> None:
        findings.setdefault(field, []).append(f"  * {message}")

    for key in ("clusterName", "kubernetesVersion", "endpoint", "nodes"):
        if not settings.get(key):
            report(key, f'"{key}" is required to be not empty')
    _check_versions(settings, report)
    endpoint = as_text(settings.get("endpoint"))
    if endpoint and urlsplit(endpoint).scheme != "https":
        report("endpoint", 'scheme must be https "' + urlsplit(endpoint).scheme + '"')
    for index, item in enumerate(as_list(settings.get("nodes"))):
        node = as_map(item)
        for key in ("hostname", "ipAddress"):
            if not node.get(key):
                report(
                    f"nodes[{index}].{key}", f'"nodes[{index}].{key}" is required to be not empty'
                )
        if not node.get("installDisk") and not node.get("installDiskSelector"):
            field = f"nodes[{index}].installDisk"
            report(field, f'"{field}" is required to be not empty')
    return findings


def _check_versions(settings: JsonMap, report: _Report) -> None:
    talos, kubernetes = (
        as_text(settings.get("talosVersion")),
        as_text(settings.get("kubernetesVersion")),
    )
    talos_match, kubernetes_match = (
        _VERSION.match(talos or _LATEST_TALOS),
        _VERSION.match(kubernetes),
    )
    minor = int(talos_match[2]) if talos_match else -1
    if minor not in _KUBERNETES_RANGE and not 2 <= minor < min(_KUBERNETES_RANGE):  # noqa: PLR2004  the oldest that talhelper takes
        report("talosVersion", f'"{talos}" is not a supported Talos version')
        return
    if kubernetes_match is None or minor not in _KUBERNETES_RANGE:
        return
    low, high = _KUBERNETES_RANGE[minor]
    plain = kubernetes.removeprefix("v")
    if int(kubernetes_match[2]) > high:
        report(
            "kubernetesVersion",
            f"version of Kubernetes {plain} is too new to be used with "
            f"Talos {talos.removeprefix('v')}",
        )
    elif int(kubernetes_match[2]) < low:
        report(
            "kubernetesVersion",
            f"version of Kubernetes {plain} is too old to be used with "
            f"Talos {talos.removeprefix('v')}",
        )

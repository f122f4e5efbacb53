"""`upgrade-k8s`: control plane components one by one, then kubelets, as talosctl 1.13 drives them.

Sources: `pkg/cluster/kubernetes` of Talos v1.13.9 and `kubernetes/upgrade` of go-kubernetes. What
was removed between minors is not looked up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from lab.standins.talosctl.client import Client
from lab.standins.talosctl.command import Call
from lab.standins.talosctl.commands.console import write
from lab.standins.talosctl.commands.sync_manifests import Sync, read_manifests
from lab.standins.talosctl.commands.version import check_client_version
from lab.standins.talosctl.failure import CommandError
from lab.standins.talosctl.flags import parse_duration_s
from lab.standins.talosctl.kube import Kube, KubeError, open_kube
from lab.standins.talosctl.messages import IMAGE_SPECS, MACHINE_CONFIG
from lab.standins.talosctl.proto import Message, child, children, decode, octets, text
from lab.standins.talosctl.text import quote
from lab.standins.talosctl.upgrade_path import check_path, check_talos, find_lowest
from lab.standins.values import JsonMap, as_list, as_map, as_text, from_untyped

__all__ = ["upgrade_kubernetes"]

_POLL_S = 1.0
_POD_PATIENCE_S, _KUBELET_PATIENCE_S = 300.0, 180.0
_NO_REBOOT = 2
_CRI, _SYSTEM = 2, 1  # of common.ContainerdNamespace
_ROLE = "node-role.kubernetes.io/control-plane"


class _Component(NamedTuple):
    name: str
    resource: str
    key: str  # in the machine config's `cluster`


_COMPONENTS = (
    _Component("kube-apiserver", "APIServerConfigs", "apiServer"),
    _Component("kube-controller-manager", "ControllerManagerConfigs", "controllerManager"),
    _Component("kube-scheduler", "SchedulerConfigs", "scheduler"),
)


def upgrade_kubernetes(call: Call) -> None:
    """`upgrade-k8s --to V [--from V] [--dry-run] [--pre-pull-images] [--upgrade-kubelet]`."""
    client = call.open()
    call.refuse_many(client, "upgrade-k8s")
    check_client_version(client)
    kube = open_kube(client)
    begin = call.parsed.text("from").removeprefix("v")
    if not begin:
        pods = _ask(lambda: kube.get("/api/v1/namespaces/kube-system/pods"))
        begin = find_lowest(pods, [component.name for component in _COMPONENTS])
        _say(f"automatically detected the lowest Kubernetes version {begin}")
    end = call.parsed.text("to").removeprefix("v")
    check_path(begin, end)
    _Upgrade(call, client, kube, end).run()


def _say(line: str) -> None:
    write(f"{line}\n")


def _ask(what: Callable[[], JsonMap]) -> JsonMap:
    try:
        return what()
    except KubeError as error:
        raise CommandError(f"error building kubernetes client: {error}") from error


class _Upgrade:
    """One upgrade of the whole cluster to a version."""

    def __init__(self, call: Call, client: Client, kube: Kube, version: str) -> None:
        self._client, self._kube, self._version = client, kube, version
        self._is_dry = call.parsed.is_set("dry-run")
        self._pulls = call.parsed.is_set("pre-pull-images")
        self._upgrades_kubelet = call.parsed.is_set("upgrade-kubelet")
        self._sync = Sync(
            kube,
            prunes=not call.parsed.is_set("manifests-no-prune"),
            patience_s=parse_duration_s(call.parsed.text("manifests-reconcile-timeout")),
        )
        self._control_planes, self._workers = self._find_nodes()

    def run(self) -> None:
        """Go through the components in talosctl's order."""
        _say(f"discovered controlplane nodes {_list(self._control_planes)}")
        nodes = [*self._control_planes]
        if self._upgrades_kubelet:
            _say(f"discovered worker nodes {_list(self._workers)}")
            nodes += self._workers
        for node in nodes:
            self._check_talos(node)
        if self._pulls:
            self._pull_images()
        for component in _COMPONENTS:
            _say(f"updating {quote(component.name)} to version {quote(self._version)}")
            for node in self._control_planes:
                self._update_component(component, node)
        _say(f"updating kube-proxy to version {quote(self._version)}")
        for node in self._control_planes:
            _say(f" > {quote(node)}: starting update")
            if self._is_dry:
                _say(" > skipped in dry-run")
            else:
                self._patch(node, "cluster", "proxy", f"registry.k8s.io/kube-proxy:{self._tag}")
        if self._upgrades_kubelet:
            _say(f"updating kubelet to version {quote(self._version)}")
            for node in nodes:
                self._update_kubelet(node)
        self._sync_manifests()

    def _sync_manifests(self) -> None:
        objects = read_manifests(self._client, next(iter(self._client.nodes), None))
        _say("updating manifests (dry run)" if self._is_dry else "updating manifests")
        if self._is_dry:
            self._sync.show(objects)
        else:
            self._sync.run(objects)

    @property
    def _tag(self) -> str:
        return f"v{self._version}"

    def _find_nodes(self) -> tuple[list[str], list[str]]:
        found: tuple[list[str], list[str]] = ([], [])
        for item in as_list(_ask(lambda: self._kube.get("/api/v1/nodes")).get("items")):
            labels = as_map(as_map(as_map(item).get("metadata")).get("labels"))
            addresses = as_list(as_map(as_map(item).get("status")).get("addresses"))
            internal = [
                as_text(as_map(address).get("address"))
                for address in addresses
                if as_map(address).get("type") == "InternalIP"
            ]
            found[0 if _ROLE in labels else 1].extend(internal[:1])
        if not found[0]:
            raise CommandError("no controlplane nodes discovered")
        return found

    def _check_talos(self, node: str) -> None:
        only = self._client.again()
        only.nodes = (node,)
        messages, _ = only.call("Version")
        talos = text(child(messages[0], "version"), "tag").removeprefix("v")
        check_talos(self._version, talos)
        _say(
            f"> {quote(node)}: Talos version {talos} is compatible with Kubernetes version "
            f"{self._version}"
        )

    def _pull_images(self) -> None:
        for component in _COMPONENTS:
            for node in self._control_planes:
                self._pull(node, _CRI, f"registry.k8s.io/{component.name}:{self._tag}")
        if self._upgrades_kubelet:
            for node in (*self._control_planes, *self._workers):
                self._pull(node, _SYSTEM, f"ghcr.io/siderolabs/kubelet:{self._tag}")

    def _pull(self, node: str, namespace: int, image: str) -> None:
        _say(f" > {quote(node)}: pre-pulling {image}")
        request: Message = {"namespace": namespace, "reference": image}
        for _ in self._client.stream("ImagePullLegacy", request, node=node):
            continue

    def _update_component(self, component: _Component, node: str) -> None:
        _say(f" > {quote(node)}: starting update")
        resource = self._read(node, "controlplane", component.resource, component.name)
        old = self._image_of(resource, component.resource)
        wanted = f"registry.k8s.io/{component.name}:{self._tag}"
        if old != wanted:
            self._tell_update(component.name, old)
        if self._is_dry:
            return
        if old != wanted:
            self._patch(node, "cluster", component.key, wanted)
        _say(f" > {quote(node)}: machine configuration patched")
        _say(f" > {quote(node)}: waiting for {component.name} pod update")
        self._wait_for_pod(component, node, wanted)
        _say(f" < {quote(node)}: successfully updated")

    def _tell_update(self, what: str, old: str) -> None:
        version = old.rpartition(":")[2].removeprefix("v")
        _say(f" > update {what}: {version} -> {self._version}")
        if self._is_dry:
            _say(" > skipped in dry-run")

    def _wait_for_pod(self, component: _Component, node: str, wanted: str) -> None:
        deadline = time.monotonic() + _POD_PATIENCE_S
        path = f"/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app%3D{component.name}"
        while True:
            resource = self._read(node, "controlplane", component.resource, component.name)
            version = text(child(resource, "metadata"), "version")
            is_new = self._image_of(resource, component.resource) == wanted
            pods = as_list(_ask(lambda: self._kube.get(path)).get("items"))
            if is_new and any(_is_updated(as_map(pod), node, version) for pod in pods):
                return
            self._pause(deadline, f'failed updating service "{component.name}"', node)

    def _update_kubelet(self, node: str) -> None:
        _say(f" > {quote(node)}: starting update")
        old = self._image_of(self._read(node, "k8s", "KubeletSpecs", "kubelet"), "KubeletSpecs")
        wanted = f"ghcr.io/siderolabs/kubelet:{self._tag}"
        if old != wanted:
            self._tell_update("kubelet", old)
        if self._is_dry:
            return
        if old != wanted:
            self._patch(node, "machine", "kubelet", wanted)
        _say(f" > {quote(node)}: machine configuration patched")
        if old != wanted:
            _say(f" > {quote(node)}: waiting for kubelet restart")
        _say(f" > {quote(node)}: waiting for node update")
        deadline = time.monotonic() + _KUBELET_PATIENCE_S
        while not self._runs_kubelet(node):
            self._pause(deadline, "failed upgrading kubelet", node)
        _say(f" < {quote(node)}: successfully updated")

    def _runs_kubelet(self, address: str) -> bool:
        for item in as_list(_ask(lambda: self._kube.get("/api/v1/nodes")).get("items")):
            status = as_map(as_map(item).get("status"))
            if any(as_map(a).get("address") == address for a in as_list(status.get("addresses"))):
                runs = as_map(status.get("nodeInfo")).get("kubeletVersion") == self._tag
                return runs and _is_true(status, "Ready")
        return False

    def _read(self, node: str, namespace: str, resource: str, name: str) -> Message:
        kind = f"{resource}.kubernetes.talos.dev"
        request: Message = {"namespace": namespace, "type": kind, "id": name}
        return child(next(self._client.stream("Get", request, node=node), {}), "resource")

    @staticmethod
    def _image_of(resource: Message, kind: str) -> str:
        raw = octets(child(resource, "spec"), "proto_spec")
        return text(decode(raw, IMAGE_SPECS[kind]), "image").partition("@")[0]

    def _patch(self, node: str, section: str, key: str, image: str) -> None:
        """Name an image in a machine config, leaving the rest of it as it is."""
        import yaml  # noqa: PLC0415  slow to import, and only upgrades need it

        request: Message = {
            "namespace": "config",
            "type": "MachineConfigs.config.talos.dev",
            "id": "v1alpha1",
        }
        resource = child(next(self._client.stream("Get", request, node=node), {}), "resource")
        raw = octets(decode(octets(child(resource, "spec"), "proto_spec"), MACHINE_CONFIG), "yaml")
        documents = [as_map(from_untyped(item)) for item in yaml.safe_load_all(raw) if item]
        main = next(document for document in documents if "kind" not in document)
        part = dict(as_map(main.get(section)))
        part[key] = {**as_map(part.get(key)), "image": image}
        main[section] = part
        data = yaml.safe_dump_all(documents, sort_keys=False).encode()
        only = self._client.again()
        reply = list(
            only.stream("ApplyConfiguration", {"data": data, "mode": _NO_REBOOT}, node=node)
        )
        if not children(reply[-1] if reply else {}, "messages"):
            raise CommandError(f"error applying config: no answer from {node}")

    def _pause(self, deadline: float, prefix: str, node: str) -> None:
        if time.monotonic() > deadline:
            raise CommandError(
                f"{prefix}: error updating node {quote(node)}: context deadline exceeded"
            )
        time.sleep(_POLL_S)


def _is_updated(pod: JsonMap, node: str, version: str) -> bool:
    annotations = as_map(as_map(pod.get("metadata")).get("annotations"))
    status = as_map(pod.get("status"))
    is_newest = annotations.get("talos.dev/config-version") == version
    return status.get("hostIP") == node and is_newest and _is_true(status, "Ready")


def _is_true(status: JsonMap, condition: str) -> bool:
    conditions = [as_map(item) for item in as_list(status.get("conditions"))]
    return any(c.get("type") == condition and c.get("status") == "True" for c in conditions)


def _list(nodes: Sequence[str]) -> str:
    return f"[{' '.join(quote(node) for node in nodes)}]"

"""Cordon, drain and uncordon, as `upgrade` and `reboot --drain` do around a reboot.

Which pods are left alone and what is said follow `cmd/talosctl/pkg/talos/nodedrain` of Talos 1.13
and the drain of kubectl that it uses.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

from lab.standins.talosctl.client import Client
from lab.standins.talosctl.commands.console import warn
from lab.standins.talosctl.failure import CommandError, RpcError
from lab.standins.talosctl.kube import Kube, KubeError, open_kube
from lab.standins.talosctl.messages import NODENAME
from lab.standins.talosctl.proto import Message, child, decode, octets, text
from lab.standins.talosctl.text import format_duration, quote
from lab.standins.values import JsonMap, as_list, as_map, as_text

__all__ = ["drain_nodes", "uncordon_nodes"]

_POLL_S = 1.0  # wall seconds, as kubectl waits for a pod to go
_TOO_MANY, _NOT_FOUND = 429, 404


def drain_nodes(client: Client, timeout_s: float) -> dict[str, str]:
    """Cordon and drain every node of the call; return the names that Kubernetes has for them.

    Raises:
        CommandError: a node stays cordoned and is not empty.
    """
    kube = _open(client, "drain")
    names: dict[str, str] = {}
    for node in client.nodes:
        try:
            names[node] = _read_name(client, node)
        except RpcError as error:
            raise CommandError(
                f"error resolving Kubernetes node name for {node}: error getting Kubernetes node "
                f"name from Talos API: {error}"
            ) from error
        _cordon(kube, names[node])
        warn(f"{names[node]}: draining node")
        try:
            _Drain(kube, names[node], timeout_s).run()
        except KubeError as error:
            raise CommandError(f"error draining node {quote(names[node])}: {error}") from error
        warn(f"{names[node]}: node drained")
    return names


def uncordon_nodes(client: Client, names: dict[str, str], timeout_s: float) -> None:
    """Wait for each node to be Ready, then let it be scheduled to again."""
    kube = _open(client, "uncordon")
    for name in names.values():
        warn(f"{name}: waiting for node to become Ready")
        deadline = time.monotonic() + timeout_s
        while not _is_ready(kube, name):
            if time.monotonic() > deadline:
                raise CommandError(
                    f"error waiting for node {quote(name)} to become Ready: "
                    "context deadline exceeded"
                )
            time.sleep(_POLL_S)
        warn(f"{name}: uncordoning node")
        try:
            kube.merge(f"/api/v1/nodes/{name}", {"spec": {"unschedulable": None}})
        except KubeError as error:
            raise CommandError(f"error uncordoning node {quote(name)}: {error}") from error
        warn(f"{name}: node uncordoned")


def _open(client: Client, purpose: str) -> Kube:
    try:
        return open_kube(client)
    except CommandError as error:
        raise CommandError(f"error creating Kubernetes client for {purpose}: {error}") from error


def _read_name(client: Client, node: str) -> str:
    request: Message = {
        "namespace": "k8s",
        "type": "Nodenames.kubernetes.talos.dev",
        "id": "nodename",
    }
    reply = next(client.stream("Get", request, node=node), {})
    spec = child(child(reply, "resource"), "spec")
    return text(decode(octets(spec, "proto_spec"), NODENAME), "nodename")


def _cordon(kube: Kube, name: str) -> None:
    try:
        node = kube.get(f"/api/v1/nodes/{name}")
    except KubeError as error:
        raise CommandError(f"error getting node {quote(name)}: {error}") from error
    warn(f"{name}: cordoning node")
    try:
        if as_map(node.get("spec")).get("unschedulable") is not True:
            kube.merge(f"/api/v1/nodes/{name}", {"spec": {"unschedulable": True}})
    except KubeError as error:
        raise CommandError(f"error cordoning node {quote(name)}: cordon error: {error}") from error
    warn(f"{name}: node cordoned")


def _is_ready(kube: Kube, name: str) -> bool:
    try:
        status = as_map(kube.get(f"/api/v1/nodes/{name}").get("status"))
    except KubeError:
        return False  # it may be rebooting
    conditions = [as_map(item) for item in as_list(status.get("conditions"))]
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


class _Pod(NamedTuple):
    space: str
    name: str
    uid: str

    @property
    def path(self) -> str:
        return f"/api/v1/namespaces/{self.space}/pods/{self.name}"


class _Drain:
    """Empties one node."""

    def __init__(self, kube: Kube, node: str, timeout_s: float) -> None:
        self._kube, self._node = kube, node
        self._timeout = format_duration(timeout_s)
        self._deadline = time.monotonic() + timeout_s

    def run(self) -> None:
        """Evict what may be evicted, and wait until it is gone."""
        staying = list(self._list_pods())
        leaving: list[_Pod] = []
        for pod in staying:
            warn(f"{self._node}: evicting pod {pod.space}/{pod.name}")
        while staying or leaving:
            evicted = [pod for pod in staying if self._evict(pod)]
            staying = [pod for pod in staying if pod not in evicted]
            leaving = [pod for pod in (*leaving, *evicted) if not self._has_gone(pod)]
            if not staying and not leaving:
                return
            if time.monotonic() > self._deadline:
                raise KubeError(self._describe(staying, leaving))
            time.sleep(_POLL_S)

    def _list_pods(self) -> Iterator[_Pod]:
        listed = self._kube.get(f"/api/v1/pods?fieldSelector=spec.nodeName%3D{self._node}")
        for item in as_list(listed.get("items")):
            metadata = as_map(as_map(item).get("metadata"))
            owners = [as_map(owner) for owner in as_list(metadata.get("ownerReferences"))]
            is_mirror = "kubernetes.io/config.mirror" in as_map(metadata.get("annotations"))
            is_daemon = any(owner.get("kind") == "DaemonSet" for owner in owners)
            if not is_mirror and not is_daemon:
                yield _Pod(
                    as_text(metadata.get("namespace")),
                    as_text(metadata.get("name")),
                    as_text(metadata.get("uid")),
                )

    def _evict(self, pod: _Pod) -> bool:
        """Ask for the pod to go; False when its disruption budget forbids it now."""
        eviction: JsonMap = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod.name, "namespace": pod.space},
        }
        try:
            self._kube.post(f"{pod.path}/eviction", eviction)
        except KubeError as error:
            if error.status == _TOO_MANY:
                return False
            if error.status != _NOT_FOUND:
                text = f'error when evicting pods/"{pod.name}" -n "{pod.space}": {error}'
                raise KubeError(text) from error
        return True

    def _has_gone(self, pod: _Pod) -> bool:
        try:
            metadata = as_map(self._kube.get(pod.path).get("metadata"))
        except KubeError as error:
            if error.status != _NOT_FOUND:
                raise
            metadata = {}
        # A StatefulSet makes another pod of the same name.
        gone = as_text(metadata.get("uid")) != pod.uid
        if gone:
            warn(f"{self._node}: evicted pod {pod.space}/{pod.name}")
        return gone

    def _describe(self, staying: list[_Pod], leaving: list[_Pod]) -> str:
        reached = f"global timeout reached: {self._timeout}"
        problems = [
            f'error when evicting pods/"{pod.name}" -n "{pod.space}": {reached}' for pod in staying
        ]
        problems += [
            f'error when waiting for pod "{pod.name}" in namespace "{pod.space}" to terminate: '
            f"{reached}"
            for pod in leaving
        ]
        return problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"

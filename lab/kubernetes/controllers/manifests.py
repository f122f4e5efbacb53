"""Manifests that a machine config brings: Talos creates them once Kubernetes runs.

Those written into it come as they are. Of those named by a URL nothing is fetched; for the
programs that approve kubelets' certificates the lab makes what their own manifests have, others
are left away, and said to be.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

import yaml

from lab.kubernetes.controllers.world import World
from lab.kubernetes.store import Change, Place
from lab.kubernetes.values import Json, Object, at, grow, text
from lab.ports import TalosManifests

__all__ = ["BootstrapManifests", "read_manifests"]

_CRDS = "customresourcedefinitions.apiextensions.k8s.io"
_MARK = Place("", "", "manifests of the machine config")
_CLOUD_MANAGER = "talos-cloud-controller-manager"
_CERT_APPROVER = "kubelet-serving-cert-approver"

_log = logging.getLogger(__name__)


class BootstrapManifests:
    """Creates each object once, as soon as its kind and namespace are there; then never again."""

    resources = frozenset({_CRDS, "namespaces"})

    def __init__(self, world: World, objects: Sequence[Object]) -> None:
        self._world = world
        self._left = [*objects]

    def places(self, change: Change) -> Iterable[Place]:
        """All at once, whatever became possible."""
        del change
        if self._left:
            yield _MARK

    def reconcile(self, place: Place) -> None:
        """Create what can be."""
        del place
        self._left = [obj for obj in self._left if not self._create(obj)]

    def _create(self, obj: Object) -> bool:
        served = self._world.api.registry.find(text(obj, "apiVersion"), text(obj, "kind"))
        if served is not None and served.kind.namespaced:
            grow(obj, "metadata").setdefault("namespace", "default")
        return self._world.plant(obj) is not None


def read_manifests(given: TalosManifests) -> list[Object]:
    """Read what is written in a machine config, and make what is known of what it names."""
    found: list[Object] = []
    for contents in given.inline:
        try:
            loaded: list[Json] = list(yaml.load_all(contents, yaml.CSafeLoader))
        except yaml.YAMLError as error:
            _log.warning("inline manifest of the machine config is no YAML: %s", error)
            continue
        found += [item for item in loaded if isinstance(item, dict)]
    for url in given.urls:
        made = _make_known(url)
        if not made:
            _log.warning("manifest of the machine config is not fetched in the lab: %s", url)
        found += made
    return found


def _make_known(url: str) -> list[Object]:
    if f"siderolabs/{_CLOUD_MANAGER}/" in url:
        return _make_cloud_manager(is_daemon="daemonset" in url)
    if f"alex1989hu/{_CERT_APPROVER}/" in url:
        image = f"ghcr.io/alex1989hu/{_CERT_APPROVER}:main"
        namespace = _CERT_APPROVER
        return [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
            _make_account(_CERT_APPROVER, namespace),
            _make_workload("Deployment", _CERT_APPROVER, namespace, image, ["serve"]),
        ]
    return []


def _make_cloud_manager(*, is_daemon: bool) -> list[Object]:
    namespace, secrets = "kube-system", f"{_CLOUD_MANAGER}-talos-secrets"
    image = f"ghcr.io/siderolabs/{_CLOUD_MANAGER}:v1.12.0"
    controllers = "--controllers=cloud-node,node-csr-approval"
    kind = "DaemonSet" if is_daemon else "Deployment"
    workload = _make_workload(kind, _CLOUD_MANAGER, namespace, image, [controllers])
    pod = at(workload, "spec", "template", "spec")
    pod["nodeSelector"] = {"node-role.kubernetes.io/control-plane": ""}
    pod["volumes"] = [{"name": "talos-secrets", "secret": {"secretName": secrets}}]
    pod["hostNetwork"] = is_daemon
    return [
        _make_account(_CLOUD_MANAGER, namespace),
        {
            "apiVersion": "talos.dev/v1alpha1",
            "kind": "ServiceAccount",
            "metadata": {"name": secrets, "namespace": namespace},
            "spec": {"roles": ["os:reader"]},
        },
        workload,
    ]


def _make_account(name: str, namespace: str) -> Object:
    metadata: Object = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def _make_workload(
    kind: str, name: str, namespace: str, image: str, arguments: Sequence[str]
) -> Object:
    labels: Object = {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": name}
    tolerated: list[Json] = [
        {"key": key, "operator": "Exists", "effect": "NoSchedule"}
        for key in (
            "node-role.kubernetes.io/control-plane",
            "node.cloudprovider.kubernetes.io/uninitialized",
            *(("node.kubernetes.io/not-ready",) if kind == "DaemonSet" else ()),
        )
    ]
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels)},
        "spec": {
            "selector": {"matchLabels": dict(labels)},
            "template": {
                "metadata": {"labels": dict(labels)},
                "spec": {
                    "serviceAccountName": name,
                    "priorityClassName": "system-cluster-critical",
                    "tolerations": tolerated,
                    "containers": [{"name": name, "image": image, "args": [*arguments]}],
                },
            },
        },
    }

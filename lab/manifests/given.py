"""What a machine config carries inline, and what is known of what it names by a URL.

Nothing is fetched. For the programs that approve kubelets' certificates the lab makes what their
own manifests have, whatever the URL's version; other URLs bring nothing, and are said to.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

import yaml

from lab.manifests import rights
from lab.manifests.values import Json, Object

__all__ = ["make_known", "read_written"]

_CLOUD_MANAGER = "talos-cloud-controller-manager"
_CERT_APPROVER = "kubelet-serving-cert-approver"

_log = logging.getLogger(__name__)


def read_written(contents: str) -> list[Object]:
    """Read the documents of an inline manifest; those of a List one by one."""
    try:
        # By way of JSON, as Kubernetes reads YAML: a date is text.
        read = json.dumps(list(yaml.load_all(contents, yaml.CSafeLoader)), default=str)
    except (yaml.YAMLError, TypeError) as error:
        _log.warning("inline manifest of the machine config is no YAML: %s", error)
        return []
    loaded: list[Json] = json.loads(read)
    found: list[Object] = []
    for item in loaded:
        items = item.get("items") if isinstance(item, dict) else None
        if isinstance(items, list):
            found += [entry for entry in items if isinstance(entry, dict)]
        elif isinstance(item, dict) and item:
            found.append(item)
    return found


def make_known(url: str) -> list[Object]:
    """Make what stands behind a URL, where that is known."""
    made = _make_known(url)
    if not made:
        _log.warning("manifest of the machine config is not fetched in the lab: %s", url)
    return made


def _make_known(url: str) -> list[Object]:
    if f"siderolabs/{_CLOUD_MANAGER}/" in url:
        return _make_cloud_manager(is_daemon="daemonset" in url)
    if f"alex1989hu/{_CERT_APPROVER}/" in url:
        image = f"ghcr.io/alex1989hu/{_CERT_APPROVER}:main"
        namespace = _CERT_APPROVER
        return [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
            rights.make_account(_CERT_APPROVER, namespace=namespace),
            _make_workload("Deployment", _CERT_APPROVER, namespace, (image, "serve"), {}),
        ]
    return []


def _make_cloud_manager(*, is_daemon: bool) -> list[Object]:
    namespace, secrets = "kube-system", f"{_CLOUD_MANAGER}-talos-secrets"
    image = f"ghcr.io/siderolabs/{_CLOUD_MANAGER}:v1.12.0"
    controllers = "--controllers=cloud-node,node-csr-approval"
    kind = "DaemonSet" if is_daemon else "Deployment"
    more: Object = {
        "nodeSelector": {"node-role.kubernetes.io/control-plane": ""},
        "volumes": [{"name": "talos-secrets", "secret": {"secretName": secrets}}],
        "hostNetwork": is_daemon,
    }
    workload = _make_workload(kind, _CLOUD_MANAGER, namespace, (image, controllers), more)
    return [
        rights.make_account(_CLOUD_MANAGER, namespace=namespace),
        {
            "apiVersion": "talos.dev/v1alpha1",
            "kind": "ServiceAccount",
            "metadata": {"name": secrets, "namespace": namespace},
            "spec": {"roles": ["os:reader"]},
        },
        workload,
    ]


def _make_workload(
    kind: str, name: str, namespace: str, program: Sequence[str], more: Object
) -> Object:
    image, *arguments = program
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
                    **more,
                },
            },
        },
    }

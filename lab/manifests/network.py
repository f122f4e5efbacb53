"""Talos' default network: flannel and kube-proxy."""

from __future__ import annotations

import json

from lab.manifests import rights
from lab.manifests.values import Json, Object
from lab.ports import TalosManifests

__all__ = ["make_flannel", "make_proxy"]

_SPACE = "kube-system"
_TOLERATED: list[Json] = [
    {"effect": "NoSchedule", "operator": "Exists"},
    {"effect": "NoExecute", "operator": "Exists"},
]


def make_flannel(given: TalosManifests) -> list[Object]:
    """Make flannel's DaemonSet, its settings and its rights."""
    name, labels = "flannel", {"k8s-app": "flannel"}
    reads: Object = {
        "apiGroups": [""],
        "resources": ["pods", "nodes", "namespaces"],
        "verbs": ["get", "list", "watch"],
    }
    writes: Object = {"apiGroups": [""], "resources": ["nodes/status"], "verbs": ["patch"]}
    account: Object = {"kind": "ServiceAccount", "name": name, "namespace": _SPACE}
    tier = {**labels, "tier": "node"}
    backend: Object = {"Type": "vxlan", "Port": 4789}
    network = json.dumps({"Network": given.pod_subnet, "Backend": backend}, indent=2)
    plugins = json.dumps({"name": "cbr0", "cniVersion": "1.0.0", "plugins": [{"type": name}]})
    settings: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "kube-flannel-cfg", "namespace": _SPACE, "labels": {**tier}},
        "data": {"cni-conf.json": plugins, "net-conf.json": network},
    }
    return [
        rights.make_role(name, [reads, writes], labels),
        rights.make_binding(name, name, account, labels=labels),
        rights.make_account(name, labels),
        settings,
        _make_daemon("kube-flannel", tier, _make_flannel_pod(given), {}),
    ]


def make_proxy(given: TalosManifests) -> list[Object]:
    """Make kube-proxy's DaemonSet and its rights."""
    name = "kube-proxy"
    account: Object = {"kind": "ServiceAccount", "name": name, "namespace": _SPACE}
    where: Object = {"fieldRef": {"fieldPath": "spec.nodeName"}}
    container: Object = {
        "name": name,
        "image": given.proxy_image,
        "command": ["/usr/local/bin/kube-proxy", *given.proxy_arguments],
        "env": [{"name": "NODE_NAME", "valueFrom": where}],
        "securityContext": {"privileged": True},
        "volumeMounts": [{"name": "kubeconfig", "mountPath": "/etc/kubernetes", "readOnly": True}],
    }
    pod: Object = {
        "containers": [container],
        "hostNetwork": True,
        "priorityClassName": "system-cluster-critical",
        "serviceAccountName": name,
        "tolerations": [*_TOLERATED],
        "volumes": [{"name": "kubeconfig", "configMap": {"name": "kubeconfig-in-cluster"}}],
    }
    strategy: Object = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}
    labels = {"k8s-app": name, "tier": "node"}
    daemon = _make_daemon(name, labels, pod, {"updateStrategy": strategy})
    binding = rights.make_binding(name, "system:node-proxier", account)
    return [daemon, rights.make_account(name), binding]


def _make_flannel_pod(given: TalosManifests) -> Object:
    settings: Object = {"name": "flannel-cfg", "mountPath": "/etc/kube-flannel/"}
    first: Object = {
        "name": "install-config",
        "image": given.flannel_image,
        "command": ["cp"],
        "args": ["-f", "/etc/kube-flannel/cni-conf.json", "/etc/cni/net.d/10-flannel.conflist"],
        "volumeMounts": [{"name": "cni", "mountPath": "/etc/cni/net.d"}, settings],
    }
    container: Object = {
        "name": "kube-flannel",
        "image": given.flannel_image,
        "command": ["/opt/bin/flanneld"],
        "args": ["--ip-masq", "--kube-subnet-mgr", *given.flannel_arguments],
        "resources": {"requests": {"cpu": "100m", "memory": "50Mi"}},
        "securityContext": {
            "capabilities": {"add": ["NET_ADMIN", "NET_RAW"]},
            "privileged": False,
        },
        "volumeMounts": [{"name": "run", "mountPath": "/run/flannel"}, dict(settings)],
    }
    return {
        "initContainers": [first],
        "containers": [container],
        "hostNetwork": True,
        "priorityClassName": "system-node-critical",
        "serviceAccountName": "flannel",
        "tolerations": [*_TOLERATED],
        "volumes": [
            {"name": "run", "hostPath": {"path": "/run/flannel"}},
            {"name": "cni", "hostPath": {"path": "/etc/cni/net.d"}},
            {"name": "flannel-cfg", "configMap": {"name": "kube-flannel-cfg"}},
        ],
    }


def _make_daemon(name: str, labels: dict[str, str], pod: Object, more: Object) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": _SPACE, "labels": {**labels}},
        "spec": {
            "selector": {"matchLabels": {**labels}},
            "template": {"metadata": {"labels": {**labels}}, "spec": pod},
            **more,
        },
    }

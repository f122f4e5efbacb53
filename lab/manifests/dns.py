"""CoreDNS, as Talos brings it."""

from __future__ import annotations

from lab.manifests import rights
from lab.manifests.values import Json, Object

__all__ = ["make_server", "make_service"]

_NAME = "coredns"
_LABEL = {"k8s-app": "kube-dns"}
_ADDRESS = "10.96.0.10"  # the tenth of the service subnet, which in the lab is Talos' default
_TAINTS = (
    "node-role.kubernetes.io/control-plane",
    "node.cloudprovider.kubernetes.io/uninitialized",
)


def make_server(image: str, domain: str) -> list[Object]:
    """Make the Deployment, its settings and its rights."""
    account: Object = {"kind": "ServiceAccount", "name": _NAME, "namespace": "kube-system"}
    role, labels = f"system:{_NAME}", {"kubernetes.io/bootstrapping": "rbac-defaults"}
    return [
        rights.make_account(_NAME),
        rights.make_role(
            role,
            [
                {
                    "apiGroups": [group],
                    "resources": [*resources.split()],
                    "verbs": ["list", "watch"],
                }
                for group, resources in (
                    ("", "endpoints services pods namespaces"),
                    ("discovery.k8s.io", "endpointslices"),
                )
            ],
            labels,
        ),
        rights.make_binding(role, role, account, labels=labels),
        _make_settings(domain),
        _make_deployment(image),
    ]


def make_service() -> Object:
    """Make the Service that every pod asks."""
    ports: list[Json] = [
        {"name": name, "port": port, "protocol": protocol, "targetPort": port}
        for name, port, protocol in (
            ("dns", 53, "UDP"),
            ("dns-tcp", 53, "TCP"),
            ("metrics", 9153, "TCP"),
        )
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kube-dns",
            "namespace": "kube-system",
            "annotations": {"prometheus.io/port": "9153", "prometheus.io/scrape": "true"},
            "labels": {
                **_LABEL,
                "kubernetes.io/cluster-service": "true",
                "kubernetes.io/name": "CoreDNS",
            },
        },
        "spec": {
            "clusterIP": _ADDRESS,
            "clusterIPs": [_ADDRESS],
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "ports": ports,
            "selector": {**_LABEL},
        },
    }


def _make_settings(domain: str) -> Object:
    zones = f"{domain} in-addr.arpa ip6.arpa"
    lines = (
        ".:53 {",
        "    errors",
        "    health",
        "    ready",
        "    prometheus :9153",
        f"    kubernetes {zones}",
        "    forward . /etc/resolv.conf",
        "    cache 30",
        "    loop",
        "    reload",
        "    loadbalance",
        "}",
    )
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": _NAME, "namespace": "kube-system"},
        "data": {"Corefile": "".join(f"{line}\n" for line in lines)},
    }


def _make_deployment(image: str) -> Object:
    container: Object = {
        "name": _NAME,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": [
            {"name": "dns", "containerPort": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"},
            {"name": "metrics", "containerPort": 9153, "protocol": "TCP"},
        ],
        "resources": {
            "limits": {"memory": "170Mi"},
            "requests": {"cpu": "100m", "memory": "70Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [{"name": "config-volume", "mountPath": "/etc/coredns", "readOnly": True}],
    }
    files: list[Json] = [{"key": "Corefile", "path": "Corefile"}]
    tolerated: list[Json] = [
        {"key": key, "operator": "Exists", "effect": "NoSchedule"} for key in _TAINTS
    ]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": _NAME,
            "namespace": "kube-system",
            "labels": {**_LABEL, "kubernetes.io/name": "CoreDNS"},
        },
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {**_LABEL}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "template": {
                "metadata": {"labels": {**_LABEL}},
                "spec": {
                    "nodeSelector": {"kubernetes.io/os": "linux"},
                    "serviceAccountName": _NAME,
                    "priorityClassName": "system-cluster-critical",
                    "dnsPolicy": "Default",
                    "tolerations": tolerated,
                    "containers": [container],
                    "volumes": [
                        {"name": "config-volume", "configMap": {"name": _NAME, "items": files}}
                    ],
                },
            },
        },
    }

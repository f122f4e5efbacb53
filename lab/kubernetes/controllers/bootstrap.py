"""What a new Talos cluster contains before anybody applies anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.kubernetes.controllers.cloud_manager import UNINITIALIZED
from lab.kubernetes.controllers.world import World
from lab.kubernetes.store import Place
from lab.kubernetes.values import Json, Object, reference_of, text
from lab.ports import NodeFacts, StaticPod

__all__ = [
    "COREDNS_IMAGE",
    "plant_bootstrap",
    "plant_static_pods",
    "plant_talos_access",
    "remove_static_pods",
]

# Talos' bootstrap manifests: internal/app/machined/pkg/controllers/k8s/internal/k8stemplates.
COREDNS_IMAGE = "registry.k8s.io/coredns/coredns:v1.14.6"
DNS_ADDRESS = "10.96.0.10"
_STATIC = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")


def plant_bootstrap(world: World, cni: str = "none") -> None:
    """Create system namespaces, RBAC for certificates, CoreDNS and the API's own Service.

    `cni` flannel brings Talos' default network and kube-proxy.
    """
    for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
        world.plant({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for obj in (*_rbac(), *_priorities(), *_services(), *_coredns()):
        world.plant(obj)
    if cni == "flannel":
        world.plant(_daemon("kube-flannel", "ghcr.io/siderolabs/flannel:v0.28.2"))
        world.plant(_daemon("kube-proxy", "registry.k8s.io/kube-proxy:v1.36.3"))


def plant_talos_access(world: World) -> None:
    """Create the CRD by which pods ask for access to the Talos API (Talos, k8stemplates)."""
    world.plant(make_open_crd("talos.dev", ["v1alpha1"], "ServiceAccount", "serviceaccounts"))


def make_open_crd(
    group: str, versions: Sequence[str], kind: str, plural: str, *, scope: str = "Namespaced"
) -> Object:
    """Make the CRD of a kind that takes anything; the first version is the stored one."""
    schema: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    names: Object = {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
    }
    served: list[Json] = [
        {
            "name": version,
            "served": True,
            "storage": version == versions[0],
            "schema": {"openAPIV3Schema": dict(schema)},
        }
        for version in versions
    ]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": scope, "names": names, "versions": served},
    }


def _daemon(name: str, image: str) -> Object:
    label: Object = {"k8s-app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": "kube-system", "labels": dict(label)},
        "spec": {
            "selector": {"matchLabels": dict(label)},
            "template": {
                "metadata": {"labels": dict(label)},
                "spec": {
                    "hostNetwork": True,
                    "tolerations": [{"operator": "Exists"}],
                    "containers": [{"name": name, "image": image}],
                },
            },
        },
    }


def plant_static_pods(world: World, facts: NodeFacts) -> None:
    """Create the mirror pods of a control plane's static pods, pending; changed ones anew."""
    node = world.store.get("nodes", "", facts.name)
    owners: list[Json] = [reference_of(node)] if node is not None else []
    default = tuple(
        StaticPod(name, f"registry.k8s.io/{name}:{facts.kubelet_version}") for name in _STATIC
    )
    for pod in facts.static_pods or default:
        component, version = pod.component, str(pod.version)
        place = Place("pods", "kube-system", f"{component}-{facts.name}")
        known = world.find(place)
        if known is not None:
            if text(known, "metadata", "annotations", "talos.dev/config-version") == version:
                continue
            world.remove(place)
        labels: Object = {
            "component": component,
            "k8s-app": component,
            "tier": "control-plane",
            "talos.dev/static-pod": "true",
        }
        world.plant(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": f"{component}-{facts.name}",
                    "namespace": "kube-system",
                    "labels": labels,
                    "annotations": {
                        "kubernetes.io/config.mirror": "lab",
                        "kubernetes.io/config.source": "file",
                        "talos.dev/config-version": version,
                    },
                    "ownerReferences": owners,
                },
                "spec": {
                    "nodeName": facts.name,
                    "hostNetwork": True,
                    "priorityClassName": "system-cluster-critical",
                    "containers": [
                        {
                            "name": component,
                            "image": pod.image,
                        }
                    ],
                    "tolerations": [{"operator": "Exists"}],
                },
            }
        )


def remove_static_pods(world: World, name: str) -> None:
    """Remove the mirror pods of a control plane that stopped."""
    for component in _STATIC:
        world.remove(Place("pods", "kube-system", f"{component}-{name}"))


def _rbac() -> list[Object]:
    bindings: Mapping[str, tuple[str, str]] = {
        "system-bootstrap-approve-node-client-csr": (
            "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
            "system:bootstrappers:nodes",
        ),
        "system-bootstrap-node-bootstrapper": (
            "system:node-bootstrapper",
            "system:bootstrappers:nodes",
        ),
        "system-bootstrap-node-renewal": (
            "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
            "system:nodes",
        ),
        "cluster-admin": ("cluster-admin", "system:masters"),
    }
    rbac = "rbac.authorization.k8s.io"
    made: list[Object] = []
    for name, (role, group) in bindings.items():
        made.append(
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": name},
                "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": role},
                "subjects": [{"apiGroup": rbac, "kind": "Group", "name": group}],
            }
        )
    for name in ("cluster-admin", "admin", "edit", "view", "system:coredns"):
        everything: Object = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
        made.append(
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "ClusterRole",
                "metadata": {"name": name},
                "rules": [everything],
            }
        )
    return made


def _priorities() -> list[Object]:
    levels = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
    return [
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": value,
        }
        for name, value in levels.items()
    ]


def _services() -> list[Object]:
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": "kubernetes",
                "namespace": "default",
                "labels": {"component": "apiserver", "provider": "kubernetes"},
            },
            "spec": {
                "clusterIP": "10.96.0.1",
                "ports": [{"name": "https", "port": 443, "targetPort": 6443}],
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": "kube-dns",
                "namespace": "kube-system",
                "labels": {"k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS"},
            },
            "spec": {
                "clusterIP": DNS_ADDRESS,
                "selector": {"k8s-app": "kube-dns"},
                "ports": [
                    {"name": "dns", "port": 53, "protocol": "UDP"},
                    {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
                ],
            },
        },
    ]


def _coredns() -> list[Object]:
    where: Object = {"name": "coredns", "namespace": "kube-system"}
    label: Object = {"k8s-app": "kube-dns"}
    taints = ("node-role.kubernetes.io/control-plane", UNINITIALIZED)
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": dict(where)},
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": dict(where),
            "data": {"Corefile": ".:53 {\n    kubernetes cluster.local\n    forward . 1.1.1.1\n}"},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {**where, "labels": {**label, "kubernetes.io/name": "CoreDNS"}},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": dict(label)},
                "template": {
                    "metadata": {"labels": dict(label)},
                    "spec": {
                        "serviceAccountName": "coredns",
                        "priorityClassName": "system-cluster-critical",
                        "tolerations": [
                            {"key": key, "operator": "Exists", "effect": "NoSchedule"}
                            for key in taints
                        ],
                        "containers": [{"name": "coredns", "image": COREDNS_IMAGE}],
                        "volumes": [{"name": "config-volume", "configMap": {"name": "coredns"}}],
                    },
                },
            },
        },
    ]

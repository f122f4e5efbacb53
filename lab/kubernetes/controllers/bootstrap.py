"""What a new cluster contains before Talos or anybody else applies anything."""

from __future__ import annotations

from collections.abc import Sequence

from lab.kubernetes.controllers.world import World
from lab.kubernetes.store import Place
from lab.kubernetes.values import Json, Object, reference_of, text
from lab.ports import NodeFacts, StaticPod

__all__ = [
    "make_open_crd",
    "plant_bootstrap",
    "plant_static_pods",
    "remove_static_pods",
]

_STATIC = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")


def plant_bootstrap(world: World) -> None:
    """Create what an API server has by itself: namespaces, roles, priorities, its own Service."""
    for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
        world.plant({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for obj in (*_rbac(), *_priorities(), _service()):
        world.plant(obj)


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
    rbac = "rbac.authorization.k8s.io"
    made: list[Object] = [
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "cluster-admin"},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"apiGroup": rbac, "kind": "Group", "name": "system:masters"}],
        }
    ]
    for name in ("cluster-admin", "admin", "edit", "view"):
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


def _service() -> Object:
    return {
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
    }

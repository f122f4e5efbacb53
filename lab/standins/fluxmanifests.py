"""The manifests of Flux' controllers, in our own words: enough to install them in the lab.

Names, labels, ports, versions and API groups are those that `flux install --export` of 2.9 gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lab.standins.fluxdefinitions import FLUX_KINDS, FluxKind, make_definition_spec
from lab.standins.values import Json, JsonMap

__all__ = ["COMPONENTS", "FLUX_VERSION", "Installation", "make_manifests"]

FLUX_VERSION = "v2.9.4"
# Controllers of Flux 2.9.4.
COMPONENTS = {
    "source-controller": "v1.9.4",
    "kustomize-controller": "v1.9.4",
    "helm-controller": "v1.6.3",
    "notification-controller": "v1.9.3",
}
_HTTP_PORTS = {"source-controller": 9090, "notification-controller": 9090}
_WEBHOOK_PORT = 9292
_NOTIFIER = "notification-controller"


@dataclass(frozen=True, slots=True)
class Installation:
    """What to install and where."""

    namespace: str = "flux-system"
    components: Sequence[str] = tuple(COMPONENTS)
    version: str = FLUX_VERSION
    registry: str = "ghcr.io/fluxcd"
    network_policy: bool = True

    def labels(self, component: str = "") -> JsonMap:
        """Labels that every object of Flux carries."""
        labels: JsonMap = {}
        if component:
            labels["app.kubernetes.io/component"] = component
        return labels | {
            "app.kubernetes.io/instance": self.namespace,
            "app.kubernetes.io/part-of": "flux",
            "app.kubernetes.io/version": self.version,
        }


def make_manifests(wanted: Installation) -> list[JsonMap]:
    """Make all objects, in the order in which they can be applied."""
    return [*_make_shared(wanted), *_make_roles(wanted), *_make_components(wanted)]


def _object(
    wanted: Installation,
    kind: str,
    name: str,
    fields: JsonMap,
    *,
    api: str = "v1",
    component: str = "",
    namespaced: bool = True,
) -> JsonMap:
    metadata: JsonMap = {"labels": wanted.labels(component), "name": name}
    if namespaced:
        metadata["namespace"] = wanted.namespace
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **fields}


def _make_shared(wanted: Installation) -> Iterator[JsonMap]:
    namespace = _object(wanted, "Namespace", wanted.namespace, {}, namespaced=False)
    metadata = namespace["metadata"]
    if isinstance(metadata, dict) and isinstance(metadata["labels"], dict):
        metadata["labels"] |= {
            "pod-security.kubernetes.io/warn": "restricted",
            "pod-security.kubernetes.io/warn-version": "latest",
        }
    yield namespace
    if wanted.network_policy:
        yield from _make_policies(wanted)
    critical: list[Json] = ["system-node-critical", "system-cluster-critical"]
    match: JsonMap = {"operator": "In", "scopeName": "PriorityClass", "values": critical}
    yield _object(
        wanted,
        "ResourceQuota",
        f"critical-pods-{wanted.namespace}",
        {"spec": {"hard": {"pods": "1000"}, "scopeSelector": {"matchExpressions": [match]}}},
    )


def _make_policies(wanted: Installation) -> Iterator[JsonMap]:
    policies: dict[str, JsonMap] = {
        "allow-egress": {
            "egress": [{}],
            "ingress": [{"from": [{"podSelector": {}}]}],
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
        },
        "allow-scraping": {
            "ingress": [
                {
                    "from": [{"namespaceSelector": {}}],
                    "ports": [{"port": 8080, "protocol": "TCP"}],
                }
            ],
            "podSelector": {},
            "policyTypes": ["Ingress"],
        },
        "allow-webhooks": {
            "ingress": [
                {
                    "from": [{"namespaceSelector": {}}],
                    "ports": [{"port": _WEBHOOK_PORT, "protocol": "TCP"}],
                }
            ],
            "podSelector": {"matchLabels": {"app": "notification-controller"}},
            "policyTypes": ["Ingress"],
        },
    }
    for name, spec in policies.items():
        yield _object(wanted, "NetworkPolicy", name, {"spec": spec}, api="networking.k8s.io/v1")


def _make_roles(wanted: Installation) -> Iterator[JsonMap]:
    api, suffix = "rbac.authorization.k8s.io/v1", f"-{wanted.namespace}"
    groups = list[Json](sorted({item.group for item in FLUX_KINDS}))
    everything: JsonMap = {"apiGroups": groups, "resources": ["*"], "verbs": ["*"]}
    core: JsonMap = {
        "apiGroups": [""],
        "resources": ["namespaces", "secrets", "configmaps", "serviceaccounts", "events"],
        "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
    }
    leases: JsonMap = {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
    }
    rules: JsonMap = {"rules": [everything, core, leases]}
    yield _object(
        wanted, "ClusterRole", f"crd-controller{suffix}", rules, api=api, namespaced=False
    )
    for name, role, subjects in (
        ("crd-controller", f"crd-controller{suffix}", tuple(COMPONENTS)),
        ("cluster-reconciler", "cluster-admin", ("kustomize-controller", "helm-controller")),
    ):
        binding: JsonMap = {
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": role,
            },
            "subjects": [
                {"kind": "ServiceAccount", "name": item, "namespace": wanted.namespace}
                for item in subjects
            ],
        }
        yield _object(
            wanted, "ClusterRoleBinding", f"{name}{suffix}", binding, api=api, namespaced=False
        )


def _make_components(wanted: Installation) -> Iterator[JsonMap]:
    for component in wanted.components:
        for kind in FLUX_KINDS:
            if kind.component == component:
                yield _make_definition(wanted, kind)
        yield _object(wanted, "ServiceAccount", component, {}, component=component)
        if component in _HTTP_PORTS:
            yield _make_service(wanted, component, component, "http")
        if component == _NOTIFIER:
            yield _make_service(wanted, component, "webhook-receiver", "http-webhook")
        yield _make_deployment(wanted, component)


def _make_definition(wanted: Installation, kind: FluxKind) -> JsonMap:
    return _object(
        wanted,
        "CustomResourceDefinition",
        kind.definition,
        {"spec": make_definition_spec(kind)},
        api="apiextensions.k8s.io/v1",
        component=kind.component,
        namespaced=False,
    )


def _make_service(wanted: Installation, component: str, name: str, port: str) -> JsonMap:
    spec: JsonMap = {
        "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": port}],
        "selector": {"app": component},
        "type": "ClusterIP",
    }
    return _object(wanted, "Service", name, {"spec": spec}, component=component)


def _make_deployment(wanted: Installation, component: str) -> JsonMap:
    labels: JsonMap = {"app": component, **wanted.labels(component)}
    pod: JsonMap = {
        "containers": [_make_container(wanted, component)],
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "priorityClassName": "system-cluster-critical",
        "securityContext": {"fsGroup": 1337},
        "serviceAccountName": component,
        "terminationGracePeriodSeconds": 10,
        "volumes": [{"emptyDir": {}, "name": "data"}, {"emptyDir": {}, "name": "temp"}],
    }
    spec: JsonMap = {
        "replicas": 1,
        "selector": {"matchLabels": {"app": component}},
        "strategy": {"type": "Recreate"},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    return _object(
        wanted, "Deployment", component, {"spec": spec}, api="apps/v1", component=component
    )


def _make_container(wanted: Installation, component: str) -> JsonMap:
    ports: list[Json] = [
        {"containerPort": 8080, "name": "http-prom", "protocol": "TCP"},
        {"containerPort": 9440, "name": "healthz", "protocol": "TCP"},
    ]
    if component in _HTTP_PORTS:
        ports.append({"containerPort": _HTTP_PORTS[component], "name": "http", "protocol": "TCP"})
    if component == "notification-controller":
        hook: JsonMap = {"containerPort": _WEBHOOK_PORT, "name": "http-webhook", "protocol": "TCP"}
        ports.append(hook)
    field_ref: JsonMap = {"fieldRef": {"fieldPath": "metadata.namespace"}}
    return {
        "args": ["--watch-all-namespaces=true", "--log-level=info", "--enable-leader-election"],
        "env": [{"name": "RUNTIME_NAMESPACE", "valueFrom": field_ref}],
        "image": f"{wanted.registry}/{component}:{COMPONENTS[component]}",
        "imagePullPolicy": "IfNotPresent",
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": "healthz"}},
        "name": "manager",
        "ports": ports,
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "healthz"}},
        "resources": {
            "limits": {"cpu": "1000m", "memory": "1Gi"},
            "requests": {"cpu": "100m", "memory": "64Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [
            {"mountPath": "/data", "name": "data"},
            {"mountPath": "/tmp", "name": "temp"},  # noqa: S108  the container's own
        ],
    }

"""Talos' own manifests about who may do what: kubelets that join, nodes, pods that ask Talos."""

from __future__ import annotations

import yaml

from lab.manifests.values import Json, Object

__all__ = [
    "APPROVE_BOOTSTRAP",
    "APPROVE_RENEWAL",
    "NODE_BOOTSTRAP",
    "TALOS_NODES",
    "make_account",
    "make_account_kind",
    "make_binding",
    "make_kubeconfig",
    "make_role",
    "make_token",
]

_RBAC = "rbac.authorization.k8s.io"
_JOINING, _NODES = "system:bootstrappers:nodes", "system:nodes"
_REQUESTS = "system:certificates.k8s.io:certificatesigningrequests"
_DEFAULT: dict[str, str] = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_TOKENS = "/var/run/secrets/kubernetes.io/serviceaccount"


def make_role(name: str, rules: list[Json], labels: dict[str, str] | None = None) -> Object:
    """Make a ClusterRole."""
    metadata, kind = _head(name, labels), "ClusterRole"
    return {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": metadata, "rules": rules}


def make_binding(
    name: str, role: str, *subjects: Object, labels: dict[str, str] | None = None
) -> Object:
    """Make a ClusterRoleBinding."""
    metadata = _head(name, labels)
    if labels == _DEFAULT:
        metadata["annotations"] = {"rbac.authorization.kubernetes.io/autoupdate": "true"}
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [*subjects],
    }


def make_account(
    name: str, labels: dict[str, str] | None = None, *, namespace: str = "kube-system"
) -> Object:
    """Make a ServiceAccount."""
    metadata: Object = {**_head(name, labels), "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def _head(name: str, labels: dict[str, str] | None) -> Object:
    return {"name": name, "labels": {**labels}} if labels else {"name": name}


def _group(name: str) -> Object:
    return {"apiGroup": _RBAC, "kind": "Group", "name": name}


NODE_BOOTSTRAP = make_binding(
    "system-bootstrap-node-bootstrapper",
    "system:node-bootstrapper",
    _group(_JOINING),
    _group(_NODES),
)
APPROVE_BOOTSTRAP = make_binding(
    "system-bootstrap-approve-node-client-csr", f"{_REQUESTS}:nodeclient", _group(_JOINING)
)
APPROVE_RENEWAL = make_binding(
    "system-bootstrap-node-renewal", f"{_REQUESTS}:selfnodeclient", _group(_NODES)
)
TALOS_NODES = (
    make_binding("system:talos-nodes", "system:talos-nodes", _group(_NODES), labels=_DEFAULT),
    make_role(
        "system:talos-nodes",
        [
            {
                "apiGroups": ["discovery.k8s.io"],
                "resources": ["endpointslices"],
                "verbs": ["get", "list", "watch"],
            }
        ],
        _DEFAULT,
    ),
)


def make_token(token: str) -> Object:
    """Make the Secret by which kubelets join; the token is the machine config's."""
    identity, _, secret = token.partition(".")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"bootstrap-token-{identity}", "namespace": "kube-system"},
        "type": "bootstrap.kubernetes.io/token",
        "stringData": {
            "token-id": identity,
            "token-secret": secret,
            "usage-bootstrap-authentication": "true",
            "auth-extra-groups": _JOINING,
        },
    }


def make_kubeconfig(server: str) -> Object:
    """Make the kubeconfig of kube-proxy: it reaches the API without a Service."""
    cluster: Object = {"certificate-authority": f"{_TOKENS}/ca.crt", "server": server}
    config: Object = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "local", "cluster": cluster}],
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": "service-account"}}],
        "current-context": "local",
        "users": [{"name": "service-account", "user": {"tokenFile": f"{_TOKENS}/token"}}],
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "kubeconfig-in-cluster", "namespace": "kube-system"},
        "data": {"kubeconfig": yaml.safe_dump(config)},
    }


def make_account_kind() -> Object:
    """Make the CRD by which pods ask for access to the Talos API."""
    plural, group, kind = "serviceaccounts", "talos.dev", "ServiceAccount"
    roles: Object = {"type": "array", "items": {"type": "string"}}
    schema: Object = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": {"roles": roles}},
            "status": {"type": "object", "properties": {"failureReason": {"type": "string"}}},
        },
    }
    version: Object = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "conversion": {"strategy": "None"},
            "group": group,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "shortNames": ["tsa"],
                "singular": kind.lower(),
            },
            "scope": "Namespaced",
            "versions": [version],
        },
    }

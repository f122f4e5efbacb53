"""Charts of what approves kubelets' certificates in the cluster."""

from __future__ import annotations

from collections.abc import Mapping

from lab.charts.recipe import Recipe, deploy

__all__ = ["APPROVERS"]

_UNINITIALIZED = "node.cloudprovider.kubernetes.io/uninitialized"
_CLOUD_MANAGER = Recipe(
    templates=("cloud-manager",),
    values={
        "replicaCount": 1,
        "enabledControllers": ["cloud-node", "node-csr-approval"],
        "extraArgs": [],
        "transformations": [],
        "daemonSet": {"enabled": False},
        "nodeSelector": {"node-role.kubernetes.io/control-plane": ""},
        "tolerations": [
            {"key": key, "operator": "Exists", "effect": "NoSchedule"}
            for key in ("node-role.kubernetes.io/control-plane", _UNINITIALIZED)
        ],
    },
)
APPROVERS: Mapping[str, Recipe] = {
    "kubelet-csr-approver": Recipe(
        workloads=(
            deploy(
                "kubelet-csr-approver",
                "ghcr.io/postfinance/kubelet-csr-approver",
                tolerateAll=True,
                envFrom={
                    "PROVIDER_REGEX": "providerRegex",
                    "PROVIDER_IP_PREFIXES": "providerIpPrefixes",
                    "MAX_EXPIRATION_SEC": "maxExpirationSeconds",
                    "BYPASS_DNS_RESOLUTION": "bypassDnsResolution",
                    "IGNORE_NON_SYSTEM_NODE": "ignoreNonSystemNode",
                    "SKIP_DENY_STEP": "skipDenyStep",
                    "ALLOWED_DNS_NAMES": "allowedDnsNames",
                    "BYPASS_HOSTNAME_CHECK": "bypassHostnameCheck",
                },
            ),
        ),
    ),
    "kubelet-serving-cert-approver": Recipe(
        workloads=(
            deploy(
                "kubelet-serving-cert-approver",
                "ghcr.io/alex1989hu/kubelet-serving-cert-approver",
                tolerateAll=True,
            ),
        ),
    ),
    "talos-cloud-controller-manager": _CLOUD_MANAGER,
}

"""Kubernetes API versions that are gone, and the minor version that stopped serving them.

https://kubernetes.io/docs/reference/using-api/deprecation-guide/
"""

from __future__ import annotations

from typing import Final

# (group/version, kind) to (the first minor version of 1.x without it, what to write instead);
# an empty kind stands for all that are left.
_REMOVED: Final[dict[tuple[str, str], tuple[int, str]]] = {
    ("extensions/v1beta1", "Ingress"): (22, "networking.k8s.io/v1"),
    ("extensions/v1beta1", "NetworkPolicy"): (16, "networking.k8s.io/v1"),
    ("extensions/v1beta1", ""): (16, "apps/v1"),
    ("apps/v1beta1", ""): (16, "apps/v1"),
    ("apps/v1beta2", ""): (16, "apps/v1"),
    ("networking.k8s.io/v1beta1", "Ingress"): (22, "networking.k8s.io/v1"),
    ("networking.k8s.io/v1beta1", "IngressClass"): (22, "networking.k8s.io/v1"),
    ("admissionregistration.k8s.io/v1beta1", "ValidatingWebhookConfiguration"): (
        22,
        "admissionregistration.k8s.io/v1",
    ),
    ("admissionregistration.k8s.io/v1beta1", "MutatingWebhookConfiguration"): (
        22,
        "admissionregistration.k8s.io/v1",
    ),
    ("apiextensions.k8s.io/v1beta1", ""): (22, "apiextensions.k8s.io/v1"),
    ("apiregistration.k8s.io/v1beta1", ""): (22, "apiregistration.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", ""): (22, "rbac.authorization.k8s.io/v1"),
    ("scheduling.k8s.io/v1beta1", ""): (22, "scheduling.k8s.io/v1"),
    ("coordination.k8s.io/v1beta1", "Lease"): (22, "coordination.k8s.io/v1"),
    ("certificates.k8s.io/v1beta1", "CertificateSigningRequest"): (22, "certificates.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "CSIStorageCapacity"): (27, "storage.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "StorageClass"): (22, "storage.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "CSIDriver"): (22, "storage.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "CSINode"): (22, "storage.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "VolumeAttachment"): (22, "storage.k8s.io/v1"),
    ("policy/v1beta1", "PodSecurityPolicy"): (25, "Pod Security Admission's namespace labels"),
    ("policy/v1beta1", ""): (25, "policy/v1"),
    ("batch/v1beta1", ""): (25, "batch/v1"),
    ("batch/v2alpha1", ""): (21, "batch/v1"),
    ("discovery.k8s.io/v1beta1", ""): (25, "discovery.k8s.io/v1"),
    ("events.k8s.io/v1beta1", ""): (25, "events.k8s.io/v1"),
    ("node.k8s.io/v1beta1", ""): (25, "node.k8s.io/v1"),
    ("autoscaling/v2beta1", ""): (25, "autoscaling/v2"),
    ("autoscaling/v2beta2", ""): (26, "autoscaling/v2"),
    ("flowcontrol.apiserver.k8s.io/v1beta1", ""): (26, "flowcontrol.apiserver.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta2", ""): (29, "flowcontrol.apiserver.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta3", ""): (32, "flowcontrol.apiserver.k8s.io/v1"),
}


def find_removal(api_version: str, kind: str) -> tuple[int, str] | None:
    """Return the minor version of Kubernetes 1.x that ended an API, and what replaces it."""
    return _REMOVED.get((api_version, kind)) or _REMOVED.get((api_version, ""))

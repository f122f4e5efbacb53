"""The objects a kustomize build holds, and which kinds have no namespace."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from inventory.documents import Document
from inventory.model import JsonObject, ObjectRef, Position
from inventory.objects import (
    get_mapping,
    get_text,
    group_of,
    kind_of,
    name_of,
    namespace_of,
    with_value,
)

# Kinds of Kubernetes itself; like kustomize, unknown kinds count as namespaced.
# https://github.com/kubernetes-sigs/kustomize/blob/master/kyaml/openapi/openapi.go
CLUSTER_KINDS = frozenset(
    {
        ("", "Namespace"),
        ("", "Node"),
        ("", "PersistentVolume"),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("apiregistration.k8s.io", "APIService"),
        ("certificates.k8s.io", "CertificateSigningRequest"),
        ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
        ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
        ("networking.k8s.io", "IngressClass"),
        ("node.k8s.io", "RuntimeClass"),
        ("policy", "PodSecurityPolicy"),
        ("rbac.authorization.k8s.io", "ClusterRole"),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("storage.k8s.io", "CSIDriver"),
        ("storage.k8s.io", "CSINode"),
        ("storage.k8s.io", "StorageClass"),
        ("storage.k8s.io", "VolumeAttachment"),
    }
)
# Kinds that the API server refuses without a namespace; other kinds may be of either sort.
NAMESPACED_KINDS = frozenset(
    (group, kind)
    for group, kinds in (
        ("", "ConfigMap Endpoints LimitRange PersistentVolumeClaim Pod ResourceQuota Secret"),
        ("", "Service ServiceAccount"),
        ("apps", "DaemonSet Deployment ReplicaSet StatefulSet"),
        ("autoscaling", "HorizontalPodAutoscaler"),
        ("batch", "CronJob Job"),
        ("networking.k8s.io", "Ingress NetworkPolicy"),
        ("policy", "PodDisruptionBudget"),
        ("rbac.authorization.k8s.io", "Role RoleBinding"),
        ("helm.toolkit.fluxcd.io", "HelmRelease"),
        ("kustomize.toolkit.fluxcd.io", "Kustomization"),
        ("source.toolkit.fluxcd.io", "Bucket GitRepository HelmChart HelmRepository OCIRepository"),
    )
    for kind in kinds.split()
)
Identity: TypeAlias = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Resource:
    """One object of a build.

    Attributes:
        value: The object as transformed so far; never changed in place.
        document: Where it was written; for a generated object its kustomization.
        from_component: Whether a Kustomize Component added it.
        top: The item of the outermost kustomization that led to it, as a repository path.
        names: What it was called before, under which others may refer to it.
        affixes: The prefixes and suffixes that it was given, in their order.
        needs_hash: Whether its name ends with the hash of its content once that is settled.
    """

    value: JsonObject
    document: Document
    from_component: bool = False
    top: str = ""
    names: tuple[str, ...] = ()
    affixes: tuple[tuple[str, str], ...] = ()
    needs_hash: bool = False

    @property
    def identity(self) -> Identity:
        """What kustomize tells objects apart by: API version, kind, namespace, name."""
        value = self.value
        metadata = get_mapping(value, "metadata")
        return (
            get_text(value, "apiVersion"),
            get_text(value, "kind"),
            get_text(metadata, "namespace"),
            get_text(metadata, "name"),
        )

    @property
    def position(self) -> Position:
        """Where the object was written."""
        return self.document.position

    def changed(self, value: JsonObject) -> Resource:
        """Return the same resource with another value."""
        return replace(self, value=value)

    def renamed(self, name: str) -> Resource:
        """Return the same resource with another name, which knows the old one."""
        value = with_value(self.value, ("metadata", "name"), name)
        return replace(self, value=value, names=(*self.names, name_of(self.value)))


def is_cluster_scoped(value: JsonObject) -> bool:
    """Say whether the object's kind is one of Kubernetes' own without a namespace."""
    return (group_of(value), kind_of(value)) in CLUSTER_KINDS


def refer_to(resource: Resource) -> ObjectRef:
    """Return the identity of a resource, for the inventory."""
    value = resource.value
    return ObjectRef(
        api_version=get_text(value, "apiVersion"),
        kind=kind_of(value),
        namespace="" if is_cluster_scoped(value) else namespace_of(value),
        name=name_of(value),
        position=resource.position,
        from_component=resource.from_component,
        raw=value,
    )

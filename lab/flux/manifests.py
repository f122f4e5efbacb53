"""Manifests as the tools print them: split, parsed, ordered."""

from __future__ import annotations

import re

import yaml

from lab.kubernetes.values import Json, Object, text

__all__ = ["order_for_install", "parse_manifests", "split_manifests"]

# Helm's own separator, said so that it takes no time on megabytes: what follows `---` may be a
# comment, which YAML would not allow.
_SEPARATOR = re.compile(r"^---\s*", re.MULTILINE)
# pkg/release/v1/util/kind_sorter.go, InstallOrder; kinds that it does not name come last.
_INSTALL_ORDER = """
    PriorityClass Namespace NetworkPolicy ResourceQuota LimitRange PodSecurityPolicy
    PodDisruptionBudget ServiceAccount Secret SecretList ConfigMap StorageClass
    PersistentVolume PersistentVolumeClaim CustomResourceDefinition ClusterRole
    ClusterRoleList ClusterRoleBinding ClusterRoleBindingList Role RoleList RoleBinding
    RoleBindingList Service DaemonSet Pod ReplicationController ReplicaSet Deployment
    HorizontalPodAutoscaler StatefulSet Job CronJob IngressClass Ingress APIService
    MutatingWebhookConfiguration ValidatingWebhookConfiguration
""".split()  # noqa: SIM905  a table reads better than forty lines
_RANK = {kind: rank for rank, kind in enumerate(_INSTALL_ORDER)}


class _Loader(yaml.CSafeLoader):
    """Reads `=` as text, as YAML 1.2 does (an enum of AlertmanagerConfig has it), and no dates."""


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if not pair[0].endswith((":value", ":timestamp"))]
    for first, pairs in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def split_manifests(printed: str) -> list[str]:
    """Split what helm prints into documents."""
    return [part for part in _SEPARATOR.split(printed) if part.strip()]


def parse_manifests(printed: str) -> list[Object]:
    """Parse every document that holds an object; lists are unfolded."""
    parsed: list[Object] = []
    for part in split_manifests(printed):
        document: Json = yaml.load(part, Loader=_Loader)  # noqa: S506  a safe loader
        if not isinstance(document, dict):
            continue
        items = document.get("items")
        if text(document, "kind").endswith("List") and isinstance(items, list):
            parsed.extend(item for item in items if isinstance(item, dict))
        else:
            parsed.append(document)
    return parsed


def order_for_install(objects: list[Object]) -> list[Object]:
    """Order objects as Helm creates them; those of one kind keep their order."""
    return sorted(objects, key=lambda obj: _RANK.get(text(obj, "kind"), len(_RANK)))

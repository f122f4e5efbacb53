"""The Kubernetes API, on generic objects: one client, any kind, errors of one tree.

May live here: HTTP to an API server, TLS from a kubeconfig, discovery, objects as values. May
not: knowledge of what an object is for, waiting for a condition, retries.

Directly on httpx2: the run handles kinds that only exist once their CRDs are applied, addresses
that differ from the kubeconfig's and a TLS context of its own, which leaves little of lightkube
in use, for 0.1 to 0.15 s more import time (measured).
"""

from __future__ import annotations

from lifecycle.drivers.kubernetes.client import Kubernetes
from lifecycle.drivers.kubernetes.discovery import ApiResource
from lifecycle.drivers.kubernetes.kubeconfig import Kubeconfig, parse_kubeconfig
from lifecycle.drivers.kubernetes.objects import (
    Change,
    Condition,
    KubernetesObject,
    ObjectList,
    ObjectRef,
    Selection,
)

__all__ = [
    "ApiResource",
    "Change",
    "Condition",
    "Kubeconfig",
    "Kubernetes",
    "KubernetesObject",
    "ObjectList",
    "ObjectRef",
    "Selection",
    "parse_kubeconfig",
]

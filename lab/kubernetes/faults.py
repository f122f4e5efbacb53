"""What the lab's Kubernetes can be made to do wrong, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["IMAGE_FAULTS", "WEBHOOK_FAULTS", "Faults", "PodFault"]


class PodFault(StrEnum):
    """A switch; its target is a part of an image, how `namespace/name` begins, or a node."""

    UNPULLABLE = "unpullable"
    """Images whose name contains the target do not exist."""
    PULL_LIMITED = "pull-limited"
    """The registry limits how often images whose name contains the target are pulled."""
    PULL_DENIED = "pull-denied"
    """The registry refuses images whose name contains the target without credentials."""
    REGISTRY_UNRESOLVED = "registry-unresolved"
    """The nodes cannot resolve the registry of images whose name contains the target."""
    REGISTRY_EXPIRED = "registry-expired"
    """The registry's certificate is out of time for images whose name contains the target."""
    CRASHING = "crashing"
    """Containers of pods whose `namespace/name` begins with the target end again and again."""
    OUT_OF_MEMORY = "out-of-memory"
    """Containers of pods whose `namespace/name` begins with the target are ended for memory."""
    WEBHOOK_SILENT = "webhook-silent"
    """Webhooks whose service's `namespace/name` begins with the target answer too late."""
    WEBHOOK_UNTRUSTED = "webhook-untrusted"
    """Webhooks whose service's `namespace/name` begins with the target have no trusted CA."""
    WEBHOOK_DENIES = "webhook-denies"
    """Webhooks whose service's `namespace/name` begins with the target refuse every object."""
    VOLUMES_DEGRADED = "volumes-degraded"
    """Longhorn volumes of pods whose `namespace/name` begins with the target lack replicas."""
    RESTORE_EMPTY = "restore-empty"
    """ReplicationDestinations whose `namespace/name` begins with the target find no snapshot."""
    RESTORE_LOCKED = "restore-locked"
    """The repository of ReplicationDestinations beginning with the target is locked."""
    RESTORE_PASSWORD = "restore-password"  # noqa: S105  a name
    """The repository of ReplicationDestinations beginning with the target has another password."""
    DISK_FULL = "longhorn-disk-full"
    """Longhorn's disks on a node are nearly full."""
    RECOVERY_ABSENT = "recovery-absent"
    """CloudNativePG's Clusters whose `namespace/name` begins with the target find no backup."""
    DATABASE_FULL = "database-full"
    """CloudNativePG's Clusters whose `namespace/name` begins with the target lack disk space."""
    REQUEST_ABSENT = "csr-absent"
    """The kubelet of a node never asks for its serving certificate."""
    REQUEST_FOREIGN = "csr-foreign"
    """The kubelet of a node asks for a serving certificate with a name that is not the node's."""


# Why an image cannot be pulled, as containerd says it.
IMAGE_FAULTS: Mapping[PodFault, str] = {
    PodFault.UNPULLABLE: "not found",
    PodFault.PULL_LIMITED: (
        "unexpected status from HEAD request: 429 Too Many Requests: toomanyrequests:"
        " You have reached your unauthenticated pull rate limit"
    ),
    PodFault.PULL_DENIED: (
        "pull access denied, repository does not exist or may require authorization:"
        " authorization failed: no basic auth credentials"
    ),
    PodFault.REGISTRY_UNRESOLVED: (
        "failed to do request: dial tcp: lookup registry.lab.example on 127.0.0.53:53: no such host"
    ),
    PodFault.REGISTRY_EXPIRED: (
        "failed to do request: tls: failed to verify certificate:"
        " x509: certificate has expired or is not yet valid"
    ),
}

# Why a webhook that answers no more does not, as kube-apiserver says it; empty: it refuses.
WEBHOOK_FAULTS: Mapping[PodFault, str] = {
    PodFault.WEBHOOK_SILENT: "context deadline exceeded",
    PodFault.WEBHOOK_UNTRUSTED: (
        "tls: failed to verify certificate: x509: certificate signed by unknown authority"
    ),
    PodFault.WEBHOOK_DENIES: "",
}

_OF_RESTORES = {PodFault.RESTORE_EMPTY, PodFault.RESTORE_LOCKED, PodFault.RESTORE_PASSWORD}

_Switched = dict[tuple[PodFault, str], None]  # a fault and its target, in the order of switching


@dataclass(slots=True)
class Faults:
    """What goes wrong in one cluster; nothing at first."""

    images: _Switched = field(default_factory=dict)
    pods: _Switched = field(default_factory=dict)
    webhooks: _Switched = field(default_factory=dict)
    volumes: _Switched = field(default_factory=dict)
    restores: _Switched = field(default_factory=dict)
    disks: _Switched = field(default_factory=dict)
    databases: _Switched = field(default_factory=dict)
    requests: _Switched = field(default_factory=dict)

    def switch(self, fault: PodFault, target: str, *, on: bool) -> None:
        """Turn a fault of a target on or off."""
        if fault in IMAGE_FAULTS:
            switched = self.images
        elif fault in WEBHOOK_FAULTS:
            switched = self.webhooks
        elif fault is PodFault.VOLUMES_DEGRADED:
            switched = self.volumes
        elif fault in _OF_RESTORES:
            switched = self.restores
        elif fault is PodFault.DISK_FULL:
            switched = self.disks
        elif fault in {PodFault.RECOVERY_ABSENT, PodFault.DATABASE_FULL}:
            switched = self.databases
        elif fault in {PodFault.REQUEST_ABSENT, PodFault.REQUEST_FOREIGN}:
            switched = self.requests
        else:
            switched = self.pods
        if on:
            switched[fault, target] = None
        else:
            switched.pop((fault, target), None)

    def of_image(self, image: str) -> PodFault | None:
        """Return why an image cannot be pulled."""
        return next((fault for fault, part in self.images if part in image), None)

    def of_pod(self, where: str) -> PodFault | None:
        """Return why containers of a pod end, by its `namespace/name`."""
        return next((fault for fault, prefix in self.pods if where.startswith(prefix)), None)

    def of_database(self, where: str) -> frozenset[PodFault]:
        """Return what is wrong with a Cluster of CloudNativePG, by its `namespace/name`."""
        return frozenset(fault for fault, prefix in self.databases if where.startswith(prefix))

    def of_request(self, node: str) -> PodFault | None:
        """Return what is wrong with a node's requests for serving certificates."""
        return next((fault for fault, name in self.requests if name == node), None)

    def of_webhook(self, where: str) -> PodFault | None:
        """Return why a webhook fails, by the `namespace/name` of its service."""
        return next((fault for fault, prefix in self.webhooks if where.startswith(prefix)), None)

    def is_degraded(self, where: str) -> bool:
        """Tell whether volumes of a pod lack replicas, by its `namespace/name`."""
        return any(where.startswith(prefix) for _, prefix in self.volumes)

    def is_full(self, node: str) -> bool:
        """Tell whether Longhorn's disks on a node are nearly full."""
        return any(name == node for _, name in self.disks)

    def is_empty(self, where: str) -> bool:
        """Tell whether a restore finds nothing, by its destination's `namespace/name`."""
        return self.of_restore(where) is PodFault.RESTORE_EMPTY

    def of_restore(self, where: str) -> PodFault | None:
        """Return what is wrong with a restore, by its destination's `namespace/name`."""
        found = (fault for fault, prefix in self.restores if where.startswith(prefix))
        return next(found, None)

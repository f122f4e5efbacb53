"""What VolSync's ReplicationDestinations tell of a restore that fails."""

from __future__ import annotations

from collections.abc import Sequence

from lifecycle.drivers.documents import text_at
from lifecycle.drivers.kubernetes import KubernetesObject

__all__ = ["list_errors", "read_failed_log"]


def list_errors(restore: KubernetesObject) -> Sequence[str]:
    """List what its conditions say went wrong before a mover ran, or beside it."""
    return [found.message for found in restore.conditions() if found.reason == "Error"]


def read_failed_log(restore: KubernetesObject) -> Sequence[str] | None:
    """Return the lines that VolSync kept of a mover that it gave up; None when it did not."""
    if text_at(restore.raw, "status", "latestMoverStatus", "result") != "Failed":
        return None
    return text_at(restore.raw, "status", "latestMoverStatus", "logs").splitlines()

"""How a database of CloudNativePG is, as its Cluster says it."""

from __future__ import annotations

from lifecycle.drivers.documents import number_at, text_at
from lifecycle.drivers.kubernetes import KubernetesObject

__all__ = ["describe_unready"]

_ASLEEP = "cnpg.io/hibernation"


def describe_unready(item: KubernetesObject) -> str:
    """Say how a Cluster is that does not have all of its instances; "" for one that has, or sleeps.

    Its phase alone does not tell: it stays `Cluster in healthy state` while the only instance
    ends again and again, or its node is gone.
    """
    if text_at(item.raw, "metadata", "deletionTimestamp") or item.has_condition(_ASLEEP):
        return ""
    given = item.spec.get("instances")
    wanted = given if isinstance(given, int) else 1
    ready = number_at(item.raw, "status", "readyInstances")
    if ready >= wanted and item.has_condition("Ready"):
        return ""
    phase = text_at(item.raw, "status", "phase") or "not taken up by CloudNativePG"
    return f"{phase}, {ready} of {wanted} instances ready"

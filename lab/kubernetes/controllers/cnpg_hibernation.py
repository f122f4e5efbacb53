"""A CloudNativePG Cluster that its owner lets sleep: claims stay, pods go.

Source: `pkg/reconciler/hibernation` of cloudnative-pg 1.30.
"""

from __future__ import annotations

from lab.kubernetes.controllers.children import place_of
from lab.kubernetes.controllers.cnpg_look import HEALTHY, Look
from lab.kubernetes.controllers.world import set_condition
from lab.kubernetes.values import Json, at, is_going, maps, name_of, text

__all__ = ["hibernate"]

_KIND = "cnpg.io/hibernation"
_WAITING = "WaitingForHealthy"


def hibernate(look: Look) -> bool:
    """Take the pods away, the primary's first; tell whether the Cluster is going to sleep."""
    if at(look.cluster, "metadata", "annotations").get(_KIND) != "on":
        kept: list[Json] = [
            item for item in maps(look.status, "conditions") if text(item, "type") != _KIND
        ]
        look.status["conditions"] = kept
        return False
    value, reason, message = _describe(look)
    set_condition(look.status, _KIND, value, reason, message, now=look.world.api.now())
    if reason == "DeletingPods":
        primary = look.find_pod(text(look.status, "currentPrimary"))
        look.world.delete(place_of("pods", primary or look.pods[0]))
    return reason != _WAITING


def _describe(look: Look) -> tuple[str, str, str]:
    before = text(look.condition(_KIND), "reason")
    if text(look.status, "phase") != HEALTHY and before in {"", _WAITING}:
        message = "Waiting for the cluster to be healthy before proceeding with hibernation"
        return "False", _WAITING, message
    if not look.pods:
        return "True", "Hibernated", "Cluster has been hibernated"
    going = [name_of(pod) for pod in look.pods if is_going(pod)]
    if going:
        return "False", "WaitingPodsDeletion", f"Waiting for {going[0]} to be deleted"
    return "False", "DeletingPods", "Hibernation is in progress"

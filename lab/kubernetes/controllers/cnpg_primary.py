"""Which instance of a CloudNativePG Cluster is the primary, and when another one becomes it.

Source: `internal/controller/replicas.go` of cloudnative-pg 1.30, and what instance managers do.
"""

from __future__ import annotations

from collections.abc import Callable

from lab.kubernetes.controllers.cnpg_look import Look, is_active, is_up
from lab.kubernetes.controllers.cnpg_parts import ROLE
from lab.kubernetes.controllers.world import World
from lab.kubernetes.durations import DATABASE_PROMOTE_S
from lab.kubernetes.store import Place
from lab.kubernetes.values import Object, dig, grow, maps, name_of, number, text, uid_of

__all__ = ["choose_primary", "follow_change", "keep_roles"]

# DRAIN_TAINTS as the operator has them by default.
_DRAINED = frozenset(
    {
        "node.kubernetes.io/unschedulable",
        "ToBeDeletedByClusterAutoscaler",
        "karpenter.sh/disrupted",
        "karpenter.sh/disruption",
    }
)
_SWITCHOVER, _FAILOVER = "Switchover in progress", "Failing over"


def _is_held(world: World, node: str) -> bool:
    """Tell whether a node is cordoned or being drained."""
    found = world.store.get("nodes", "", node)
    if found is None:
        return False
    taints = {text(taint, "key") for taint in maps(found, "spec", "taints")}
    return dig(found, "spec", "unschedulable") is True or bool(taints & _DRAINED)


def follow_change(look: Look, again: Callable[[], None]) -> bool:
    """Go on with a switchover or failover; tell whether one is under way."""
    status = look.status
    current, target = text(status, "currentPrimary"), text(status, "targetPrimary")
    if not current:
        return _begin(look, target)
    if current == target:
        return False
    chosen = look.find_pod(target)
    if chosen is None or not is_active(chosen):
        status["targetPrimary"] = current
        return False
    old = look.find_pod(current)
    if old is not None:
        _set_role(look.world, old, "unhealthy")
    what = f"database {look.place.namespace}/{look.place.name} has primary {target}"
    key = f"cnpg/{uid_of(look.cluster)}/promotion"
    look.world.later(key, DATABASE_PROMOTE_S, what, lambda: _promote(look.world, look.place, again))
    return True


def choose_primary(look: Look) -> bool:
    """Have another instance promoted where the primary's node is drained, or it is gone."""
    current = text(look.status, "currentPrimary")
    if not current:
        return False
    primary = look.find_pod(current)
    if primary is not None and is_up(primary):
        return _is_held(look.world, text(primary, "spec", "nodeName")) and _switch(look, primary)
    others = [pod for pod in look.ready if name_of(pod) != current]
    if not others:
        return False
    chosen = name_of(others[0])
    look.tell("FailingOver", f"Current primary isn't healthy, initiating a failover from {current}")
    look.tell("FailoverTarget", f"Failing over from {current} to {chosen}")
    look.say(_FAILOVER, f"Failing over from {current} to {chosen}")
    look.status["targetPrimary"] = chosen
    return True


def keep_roles(look: Look) -> None:
    """Label each pod as what it is; Services and budgets go by that."""
    current = text(look.status, "currentPrimary")
    for pod in look.pods if current else ():
        if is_active(pod):
            _set_role(look.world, pod, "primary" if name_of(pod) == current else "replica")


def _begin(look: Look, target: str) -> bool:
    """The first instance's manager says that it is the primary, as soon as it runs."""
    first = look.find_pod(target) if target else None
    if first is not None and is_active(first):
        look.status.update({"currentPrimary": target, "timelineID": 1})
    return False


def _switch(look: Look, primary: Object) -> bool:
    node, current = text(primary, "spec", "nodeName"), name_of(primary)
    elsewhere = [
        pod
        for pod in look.ready
        if name_of(pod) != current and text(pod, "spec", "nodeName") != node
    ]
    is_failed = "failed" in grow(look.status, "instancesStatus")
    if not is_failed and (look.size != len(look.ready) or len(elsewhere) < look.size - 1):
        return False  # something else is under way
    for pod in elsewhere:
        if _is_held(look.world, text(pod, "spec", "nodeName")):
            continue
        chosen = name_of(pod)
        because = f"because primary instance was running on unschedulable node {node}"
        look.tell(
            "SwitchingOver",
            f"Current primary is running on unschedulable node {node},"
            f" switching over from {current} to {chosen}",
        )
        look.say(_SWITCHOVER, f"Switching over to {chosen}, {because}")
        look.status["targetPrimary"] = chosen
        return True
    return False


def _promote(world: World, place: Place, again: Callable[[], None]) -> None:
    cluster = world.find(place)
    if cluster is None:
        return
    target = text(cluster, "status", "targetPrimary")
    pod = world.store.get("pods", place.namespace, target)
    if pod is not None and is_up(pod):
        line = number(cluster, "status", "timelineID", default=1) + 1
        world.set_status(place, {"currentPrimary": target, "timelineID": line})
    again()


def _set_role(world: World, pod: Object, role: str) -> None:
    place = Place("pods", text(pod, "metadata", "namespace"), name_of(pod))
    labels: Object = {ROLE: role, "role": role}
    world.edit(place, lambda obj: grow(obj, "metadata", "labels").update(labels))

"""PodDisruptionBudgets: how many pods may be evicted now."""

from __future__ import annotations

import math
from collections.abc import Iterable

from lab.kubernetes.controllers.children import is_ready
from lab.kubernetes.controllers.world import World, set_condition
from lab.kubernetes.selectors import selects
from lab.kubernetes.store import Change, Place
from lab.kubernetes.values import Json, Object, dig, grow, labels_of, maps, name_of, number, text

__all__ = ["Budgets"]

_BUDGETS = "poddisruptionbudgets.policy"


class Budgets:
    """Keeps each budget's status in step with its pods."""

    resources = frozenset({_BUDGETS, "pods"})

    def __init__(self, world: World) -> None:
        self._world = world

    def places(self, change: Change) -> Iterable[Place]:
        """A budget, or those over a changed pod."""
        if change.resource == _BUDGETS:
            yield change.place
            return
        for budget in self._world.store.all(_BUDGETS, change.place.namespace):
            if selects(dig(budget, "spec", "selector"), labels_of(change.object)):
                yield Place(_BUDGETS, change.place.namespace, name_of(budget))

    def reconcile(self, place: Place) -> None:
        """Count one budget's pods."""
        budget = self._world.find(place)
        if budget is None:
            return
        pods = [
            pod
            for pod in self._world.store.all("pods", place.namespace)
            if selects(dig(budget, "spec", "selector"), labels_of(pod))
        ]
        expected = self._expect(pods)
        healthy = sum(1 for pod in pods if is_ready(pod))
        least = dig(budget, "spec", "minAvailable")
        if least is not None:
            desired = _scale(least, expected)
        else:
            most: Json = dig(budget, "spec", "maxUnavailable")
            desired = max(0, expected - _scale(1 if most is None else most, expected))
        allowed = max(0, healthy - desired)
        now = self._world.api.now()

        def change(obj: Object) -> None:
            status = grow(obj, "status")
            status.update(
                {
                    "currentHealthy": healthy,
                    "desiredHealthy": desired,
                    "expectedPods": expected,
                    "disruptionsAllowed": allowed,
                    "observedGeneration": number(obj, "metadata", "generation"),
                }
            )
            reason = "SufficientPods" if allowed else "InsufficientPods"
            value = "True" if allowed else "False"
            set_condition(status, "DisruptionAllowed", value, reason, "", now=now)

        self._world.edit(place, change)

    def _expect(self, pods: list[Object]) -> int:
        """How many pods there should be: what their owners ask for."""
        owners: dict[str, int] = {}
        for pod in pods:
            for reference in maps(pod, "metadata", "ownerReferences"):
                resource = {"ReplicaSet": "replicasets.apps", "StatefulSet": "statefulsets.apps"}
                found = self._world.store.get(
                    resource.get(text(reference, "kind"), ""),
                    text(pod, "metadata", "namespace"),
                    text(reference, "name"),
                )
                if found is not None:
                    owners[text(reference, "uid")] = number(found, "spec", "replicas", default=1)
        return sum(owners.values()) or len(pods)


def _scale(value: Json, total: int) -> int:
    if isinstance(value, str) and value.endswith("%"):
        return math.ceil(total * int(value[:-1]) / 100)
    return value if isinstance(value, int) else 0

"""Eviction: deleting a pod unless a PodDisruptionBudget forbids it."""

from __future__ import annotations

from lab.kubernetes.api import Api
from lab.kubernetes.errors import InternalError, TooManyRequestsError
from lab.kubernetes.selectors import selects
from lab.kubernetes.values import Object, clone_map, dig, grow, is_going, labels_of, name_of, number

__all__ = ["evict_pod"]


def evict_pod(api: Api, name: str, namespace: str, *, grace_s: int | None, dry_run: bool) -> Object:
    """Evict a pod; texts as in `pkg/registry/core/pod/storage/eviction.go`.

    Raises:
        TooManyRequestsError: its disruption budget allows none now.
        InternalError: more than one budget covers the pod.
        NotFoundError: there is no such pod.
    """
    served = api.kind("v1", "Pod")
    pod = api.get(served, name, namespace)
    # A pod that is not up yet, is done, or goes anyhow costs no budget.
    running = dig(pod, "status", "phase") == "Running" and not is_going(pod)
    budgets = [
        budget
        for budget in api.store.all("poddisruptionbudgets.policy", namespace)
        if running and selects(dig(budget, "spec", "selector"), labels_of(pod))
    ]
    if len(budgets) > 1:
        raise InternalError(
            "This pod has more than one PodDisruptionBudget, which the eviction "
            "subresource does not support."
        )
    for budget in budgets:
        _spend(api, budget, dry_run=dry_run)
    api.delete(served, name, namespace, grace_s=grace_s, dry_run=dry_run)
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def _spend(api: Api, budget: Object, *, dry_run: bool) -> None:
    allowed = number(budget, "status", "disruptionsAllowed")
    if allowed < 1:
        message = (
            f"The disruption budget {name_of(budget)} needs "
            f"{number(budget, 'status', 'desiredHealthy')} healthy pods and has "
            f"{number(budget, 'status', 'currentHealthy')} currently"
        )
        raise TooManyRequestsError(
            "Cannot evict pod as it would violate the pod's disruption budget.",
            details={"causes": [{"reason": "DisruptionBudget", "message": message}]},
        )
    if not dry_run:
        spent = clone_map(budget)
        grow(spent, "status")["disruptionsAllowed"] = allowed - 1
        api.store.put("poddisruptionbudgets.policy", spent)

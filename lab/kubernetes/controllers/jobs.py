"""Jobs run their pods once; CronJobs are kept and never run by themselves."""

from __future__ import annotations

from collections.abc import Iterable

from lab.kubernetes.controllers.children import list_children, make_pod, owner_places, plant_pod
from lab.kubernetes.controllers.world import World, is_true, set_condition
from lab.kubernetes.store import Change, Place
from lab.kubernetes.values import Object, dig, grow, is_going, name_of, number, text

__all__ = ["Jobs"]


class Jobs:
    """Runs each Job to its completions."""

    resources = frozenset({"jobs.batch", "pods"})

    def __init__(self, world: World) -> None:
        self._world = world

    def places(self, change: Change) -> Iterable[Place]:
        """A Job, or the one that owns a changed pod."""
        return owner_places(change, "Job", "jobs.batch")

    def reconcile(self, place: Place) -> None:
        """Start pods until enough succeeded, and count them."""
        job = self._world.find(place)
        if job is None or is_going(job) or is_true(job, "Complete") or dig(job, "spec", "suspend"):
            return
        pods = list_children(self._world, job, "pods")
        succeeded = sum(1 for pod in pods if text(pod, "status", "phase") == "Succeeded")
        active = [
            pod
            for pod in pods
            if text(pod, "status", "phase") in {"Pending", "Running"} and not is_going(pod)
        ]
        wanted = number(job, "spec", "completions", default=1)
        parallelism = number(job, "spec", "parallelism", default=1)
        for _ in range(min(parallelism, wanted - succeeded) - len(active)):
            labels = {"job-name": name_of(job), "batch.kubernetes.io/job-name": name_of(job)}
            plant_pod(
                self._world,
                job,
                make_pod(job, labels=labels),
                lambda: self._world.queue(self, place),
            )
        running = max(len(active), min(parallelism, wanted - succeeded))
        now = self._world.api.now()

        def change(obj: Object) -> None:
            status = grow(obj, "status")
            status.update({"active": running, "succeeded": succeeded, "ready": 0})
            status.setdefault("startTime", now)
            if succeeded >= wanted:
                reason = "CompletionsReached"
                message = "Reached expected number of succeeded pods"
                for kind in ("SuccessCriteriaMet", "Complete"):
                    set_condition(status, kind, "True", reason, message, now=now)
                status.update({"active": 0, "completionTime": now})

        self._world.edit(place, change)

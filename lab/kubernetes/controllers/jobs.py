"""Jobs run their pods once; CronJobs are kept and never run by themselves."""

from __future__ import annotations

from collections.abc import Iterable

from lab.kubernetes.controllers.children import list_children, make_pod, owner_places, plant_pod
from lab.kubernetes.controllers.world import World, is_true, set_condition
from lab.kubernetes.store import Change, Place
from lab.kubernetes.values import Object, dig, grow, is_going, name_of, number, text, uid_of

__all__ = ["Jobs"]

# Before a failed pod has a successor: kube-controller-manager's default, doubled each time.
_FIRST_WAIT_S, _LONGEST_WAIT_S = 10.0, 360.0


class Jobs:
    """Runs each Job to its completions."""

    resources = frozenset({"jobs.batch", "pods"})

    def __init__(self, world: World) -> None:
        self._world = world
        self._due: set[str] = set()  # uid and number of failures after which it was waited

    def places(self, change: Change) -> Iterable[Place]:
        """A Job, or the one that owns a changed pod."""
        return owner_places(change, "Job", "jobs.batch")

    def reconcile(self, place: Place) -> None:
        """Start pods until enough succeeded, and count them."""
        job = self._world.find(place)
        if job is None or is_going(job) or _is_over(job) or dig(job, "spec", "suspend"):
            return
        pods = list_children(self._world, job, "pods")
        succeeded = sum(1 for pod in pods if text(pod, "status", "phase") == "Succeeded")
        failed = sum(1 for pod in pods if text(pod, "status", "phase") == "Failed")
        active = [
            pod
            for pod in pods
            if text(pod, "status", "phase") in {"Pending", "Running"} and not is_going(pod)
        ]
        wanted = number(job, "spec", "completions", default=1)
        parallelism = number(job, "spec", "parallelism", default=1)
        if failed and self._is_held(place, job, failed, has_active=bool(active)):
            return
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
            if failed:
                status["failed"] = failed
            status.setdefault("startTime", now)
            if succeeded >= wanted:
                reason = "CompletionsReached"
                message = "Reached expected number of succeeded pods"
                for kind in ("SuccessCriteriaMet", "Complete"):
                    set_condition(status, kind, "True", reason, message, now=now)
                status.update({"active": 0, "completionTime": now})

        self._world.edit(place, change)

    def _is_held(self, place: Place, job: Object, failed: int, *, has_active: bool) -> bool:
        """Tell whether a Job that failed starts no pod now: it has failed for good, or waits."""
        now, limit = self._world.api.now(), number(job, "spec", "backoffLimit", default=6)

        def count(obj: Object) -> None:
            status = grow(obj, "status")
            status.update({"failed": failed, "active": int(has_active)})
            if failed > limit:
                said = "Job has reached the specified backoff limit"
                for kind in ("FailureTarget", "Failed"):
                    set_condition(status, kind, "True", "BackoffLimitExceeded", said, now=now)

        self._world.edit(place, count)
        if failed > limit:
            return True
        due = f"{uid_of(job)}/{failed}"
        if has_active or due in self._due:
            return False
        wait_s = min(_FIRST_WAIT_S * 2 ** (failed - 1), _LONGEST_WAIT_S)
        self._world.expire(f"job/{due}", wait_s, lambda: self._go_on(place, due))
        return True

    def _go_on(self, place: Place, due: str) -> None:
        self._due.add(due)
        self._world.queue(self, place)


def _is_over(job: Object) -> bool:
    return is_true(job, "Complete") or is_true(job, "Failed")

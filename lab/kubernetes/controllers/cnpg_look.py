"""One look at a CloudNativePG Cluster: what it consists of, and what its status says of that.

Source: `persistentvolumeclaim.EnrichStatus`, `updateResourceStatus` and `RegisterPhase` of
cloudnative-pg 1.30.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.kubernetes.controllers.children import list_children
from lab.kubernetes.controllers.cnpg_instances import (
    CLAIM_STATUS,
    INSTANCE,
    find_serial,
    list_claim_names,
    name_instance,
)
from lab.kubernetes.controllers.world import World, find_condition, is_true, set_condition
from lab.kubernetes.store import Place
from lab.kubernetes.values import (
    Json,
    Object,
    at,
    clone_map,
    dig,
    is_going,
    maps,
    name_of,
    number,
    text,
    texts,
)

__all__ = ["HEALTHY", "UNRECOVERABLE", "Look", "has_failed", "is_active", "is_done", "is_up"]

HEALTHY = "Cluster in healthy state"
UNRECOVERABLE = "Cluster is unrecoverable and needs manual intervention"


@dataclass(slots=True)
class Look:
    """A Cluster with its pods, claims and Jobs, in order of name; `status` is written at the end.

    `operator` is the image of the operator that runs.
    """

    world: World
    place: Place
    cluster: Object
    operator: str
    pods: list[Object] = field(default_factory=list)
    claims: list[Object] = field(default_factory=list)
    jobs: list[Object] = field(default_factory=list)
    status: Object = field(default_factory=dict)

    @classmethod
    def take(cls, world: World, place: Place, cluster: Object, operator: str) -> Look:
        """Look at a Cluster, and count what it has."""

        def owned(resource: str) -> list[Object]:
            return sorted(list_children(world, cluster, resource), key=name_of)

        status = clone_map(at(cluster, "status"))
        look = cls(world, place, cluster, operator, status=status)
        look.pods, look.jobs = owned("pods"), owned("jobs.batch")
        look.claims = owned("persistentvolumeclaims")
        look._count()
        return look

    @property
    def size(self) -> int:
        """How many instances there are to be."""
        return number(self.cluster, "spec", "instances", default=1)

    @property
    def instances(self) -> list[str]:
        """Names of the instances that have a claim."""
        found = {name_instance(self.cluster, find_serial(claim)) for claim in self._list_usable()}
        return sorted(found)

    @property
    def ready(self) -> list[Object]:
        """The pods that answer."""
        return [pod for pod in self.pods if is_up(pod)]

    @property
    def dangling(self) -> list[str]:
        """Names of the instances with claims that no pod and no Job uses, the primary's first."""
        names = texts(self.status, "danglingPVC") + texts(self.status, "unusablePVC")
        loose = {
            name_instance(self.cluster, find_serial(claim))
            for claim in self.claims
            if name_of(claim) in names
        }
        loose -= {name_of(pod) for pod in self.pods}
        return sorted(loose, key=lambda name: (name != self.status.get("targetPrimary"), name))

    def find_pod(self, name: str) -> Object | None:
        """Find an instance's pod."""
        return next((pod for pod in self.pods if name_of(pod) == name), None)

    def is_filled(self, instance: str) -> bool:
        """Tell whether every claim of an instance is there and holds what it should."""
        wanted = set(list_claim_names(self.cluster, instance))
        filled = {
            name_of(claim)
            for claim in self.claims
            if not is_going(claim)
            and text(claim, "metadata", "annotations", CLAIM_STATUS) == "ready"
        }
        return wanted <= filled

    def has_job(self, instance: str) -> bool:
        """Tell whether a Job works on an instance."""
        return any(text(job, "metadata", "labels", INSTANCE) == instance for job in self.jobs)

    def condition(self, kind: str) -> Object:
        """Find a condition of the status as it is to be; an empty object when there is none."""
        return find_condition({"status": self.status}, kind)

    def say(self, phase: str, reason: str = "") -> None:
        """Put a phase into the status, and what follows from it."""
        self.status.update({"phase": phase, "phaseReason": reason})
        now, is_well = self.world.api.now(), phase == HEALTHY
        value, why = ("True", "ClusterIsReady") if is_well else ("False", "ClusterIsNotReady")
        message = "Cluster is Ready" if is_well else "Cluster Is Not Ready"
        set_condition(self.status, "Ready", value, why, message, now=now)

    def tell(self, reason: str, message: str, *, warning: bool = False) -> None:
        """Record an Event about the Cluster."""
        self.world.tell(self.cluster, reason, message, warning=warning)

    def save(self) -> None:
        """Write the status, if it says anything new."""
        status = self.status
        self.world.edit(self.place, lambda obj: obj.update({"status": status}))

    def _list_usable(self) -> list[Object]:
        return [claim for claim in self.claims if find_serial(claim) and not is_going(claim)]

    def _count(self) -> None:
        name, names = name_of(self.cluster), self.instances
        nodes = {text(pod, "spec", "nodeName") for pod in self.pods} - {""}
        ready = self.ready
        self.status.update(
            {
                "instances": len(names),
                "instanceNames": list[Json](names),
                "readyInstances": len(ready),
                "instancesStatus": self._sort_pods(),
                "pvcCount": len(self.claims),
                "jobCount": len(self.jobs),
                "writeService": f"{name}-rw",
                "readService": f"{name}-r",
                "topology": {"nodesUsed": len(nodes), "successfullyExtracted": True},
            }
        )
        for state, claims in self._sort_claims().items():
            self.status[f"{state}PVC"] = list[Json](claims)
        now = self.world.api.now()
        if names:
            said = ("True", "BootstrapCompleted", "Cluster has been bootstrapped")
            set_condition(self.status, "Initialized", *said, now=now)
        elif not self.condition("Initialized"):
            said = ("False", "BootstrapPending", "Cluster has not been bootstrapped yet")
            set_condition(self.status, "Initialized", *said, now=now)
        if ready:
            message = "A single, unique system ID was found across reporting instances."
            said = ("True", "Unique", message)
        elif self.pods:
            message = "Instances are present, but none have reported a system ID."
            said = ("False", "NotFound", message)
        else:
            message = "No instances are present in the cluster to report a system ID."
            said = ("False", "NotFound", message)
        set_condition(self.status, "ConsistentSystemID", *said, now=now)

    def _sort_pods(self) -> Object:
        sorted_names: Object = {}
        for pod in self.pods:
            if is_going(pod):
                continue
            state = "failed"
            if is_active(pod):
                state = "healthy" if is_up(pod) else "replicating"
            names = sorted_names.setdefault(state, [])
            if isinstance(names, list):
                names.append(name_of(pod))
        return sorted_names

    def _sort_claims(self) -> dict[str, list[str]]:
        states: dict[str, list[str]] = {
            state: [] for state in ("dangling", "healthy", "initializing", "unusable")
        }
        there = {name_of(claim) for claim in self._list_usable()}
        used = {name for pod in self.pods for name in _claims_of(pod)}
        working = {
            name
            for job in self.jobs
            if not is_done(job)
            for name in _claims_of(dig(job, "spec", "template"))
        }
        for claim in self._list_usable():
            instance, name = name_instance(self.cluster, find_serial(claim)), name_of(claim)
            if not set(list_claim_names(self.cluster, instance)) <= there:
                states["unusable"].append(name)
            elif name in used:
                states["healthy"].append(name)
            else:
                states["initializing" if name in working else "dangling"].append(name)
        return states


def is_active(pod: Object) -> bool:
    """Tell whether a pod runs, and is not being deleted."""
    return text(pod, "status", "phase") == "Running" and not is_going(pod)


def is_up(pod: Object) -> bool:
    """Tell whether a pod runs and answers."""
    return is_active(pod) and is_true(pod, "Ready")


def is_done(job: Object) -> bool:
    """Tell whether a Job ended well."""
    return number(job, "status", "succeeded") > 0


def has_failed(job: Object) -> bool:
    """Tell whether a Job is given up."""
    return is_true(job, "Failed")


def _claims_of(pod: Json) -> list[str]:
    volumes = maps(pod, "spec", "volumes")
    names = (text(volume, "persistentVolumeClaim", "claimName") for volume in volumes)
    return [name for name in names if name]

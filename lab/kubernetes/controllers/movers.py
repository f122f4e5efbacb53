"""What VolSync's movers need and run: the Job, its Secret and Service, its log.

Names, order and words follow backube/volsync, `internal/controller/mover/*`.
"""

from __future__ import annotations

import base64
import zlib
from enum import Enum, auto

from lab.kubernetes.controllers.mover_methods import METHODS, Method, tell_failure, tell_success
from lab.kubernetes.controllers.mover_volumes import CREATED_BY, MoverError, MoverVolumes
from lab.kubernetes.controllers.world import World
from lab.kubernetes.faults import PodFault
from lab.kubernetes.store import Place
from lab.kubernetes.values import (
    Json,
    Object,
    at,
    dig,
    grow,
    is_going,
    maps,
    name_of,
    namespace_of,
    number,
    text,
    uid_of,
)

__all__ = [
    "DESTINATIONS",
    "Mover",
    "Progress",
    "find_exit_code",
]

DESTINATIONS = "replicationdestinations.volsync.backube"
_JOBS = "jobs.batch"
_LONGEST_NAME = 63


class Progress(Enum):
    """How far a synchronization is."""

    RUNNING = auto()
    DONE = auto()
    FAILED = auto()


class Mover:
    """One synchronization of a ReplicationDestination or ReplicationSource."""

    def __init__(self, world: World, owner: Object, image: str, method: Method) -> None:
        self._world = world
        self._owner = owner
        self._image = image
        self._method = method
        self._spec = at(owner, "spec", method.field)
        self._is_source = text(owner, "kind") == "ReplicationSource"
        self._side = "src" if self._is_source else "dst"
        self.volumes = MoverVolumes(world, owner, self._spec)

    @property
    def job(self) -> Place:
        """Where the mover's Job is."""
        prefix, name = f"{self._method.prefix}{self._side}-", name_of(self._owner)
        if len(prefix + name) > _LONGEST_NAME:
            name = f"{zlib.crc32(name.encode()):08x}"
        return Place(_JOBS, namespace_of(self._owner), prefix + name)

    @property
    def _parallelism(self) -> Object:
        return {"parallelism": 0 if dig(self._owner, "spec", "paused") else 1}

    def advance(self) -> Progress:
        """Make what is missing; tell how far the Job is.

        Raises:
            MoverError: something that VolSync does not make is missing or wrong.
        """
        self._check_spec()
        data = self.volumes.ensure()
        if data is None:
            return Progress.RUNNING
        cache = self._ensure_cache(data)
        self.volumes.plant("v1", "ServiceAccount", self.job.name, {})
        self._check_secret()
        job = self._world.find(self.job)
        if job is None:
            self._plant_job(name_of(data), cache)
            return Progress.RUNNING
        parallelism = self._parallelism
        self._world.edit(self.job, lambda obj: grow(obj, "spec").update(parallelism))
        if is_going(job):
            return Progress.RUNNING
        if number(job, "status", "failed") >= self._method.tries:
            return Progress.FAILED
        is_done = number(job, "status", "succeeded") > 0
        return Progress.DONE if is_done else Progress.RUNNING

    def _ensure_cache(self, data: Object) -> str:
        """Have the claim of the mover's cache; empty where it has none."""
        given = [dig(self._spec, key) for key in ("cacheStorageClassName", "cacheAccessModes")]
        is_kopia = self._method.name == "kopia"
        if not (self._method.has_cache or (is_kopia and any(given))):
            return ""
        cache = f"volsync-{self._side}-{name_of(self._owner)}-cache"
        self.volumes.ensure_claim(
            cache,
            given[1] or dig(self._spec, "accessModes") or dig(data, "spec", "accessModes"),
            dig(self._spec, "cacheCapacity") or "1Gi",
            given[0] or dig(self._spec, "storageClassName"),
        )
        return cache

    def clean_up(self) -> None:
        """Delete what was made for one synchronization only."""
        self.volumes.delete(self.job)
        if self._is_source:
            self.volumes.delete(self.volumes.claim)
            self.volumes.delete_snapshot(self.volumes.claim.name)

    def tell_log(self) -> str:
        """Return the lines of the mover's log that VolSync keeps when it succeeded."""
        where = f"{namespace_of(self._owner)}/{name_of(self._owner)}"
        return tell_success(
            self._method,
            uid_of(self._owner),
            self._world.clock.now(),
            is_source=self._is_source,
            is_empty=self._world.faults.is_empty(where),
        )

    def tell_failure(self) -> str:
        """Return the log of a mover that failed."""
        fault = find_fault(self._world, self._owner)
        return (tell_failure(self._method, fault) if fault else "") or "error"

    def delete_job(self) -> None:
        """Delete the mover's Job, so that it is made anew."""
        self.volumes.delete(self.job)

    def _check_spec(self) -> None:
        for key, message in self._method.wants:
            if not text(self._spec, key):
                raise MoverError(message)

    def _check_secret(self) -> None:
        name, wanted = text(self._spec, self._method.secret), self._method.secret_fields
        if self._method.listens and not name:
            self._plant_key()
            return
        secret = self._world.store.get("secrets", namespace_of(self._owner), name)
        if secret is None:
            message = f'Secret "{name}" not found'
            raise MoverError(message)
        data = at(secret, "data")
        if len(data) < len(wanted):
            message = f"secret should have fields: [{' '.join(wanted)}]"
            raise MoverError(message)
        for field in wanted:
            if field not in data:
                message = f"secret is missing field: {field}"
                raise MoverError(message)

    def _plant_key(self) -> None:
        """Make the key that both sides of rsync-tls share."""
        key = f"volsync:{uid_of(self._owner).replace('-', '')}"
        data: Object = {"psk.txt": base64.b64encode(key.encode()).decode()}
        self.volumes.plant("v1", "Secret", self._name_listener(), {"data": data})

    def _name_listener(self) -> str:
        return f"{self._method.prefix}{name_of(self._owner)}"

    def publish(self) -> Object:
        """Return what a destination tells of where it listens, with the Service that it makes."""
        if self._is_source or not self._method.listens:
            return {}
        name = f"{self._method.prefix}dst-{name_of(self._owner)}"
        kind = text(self._spec, "serviceType") or "ClusterIP"
        port: Object = {"name": "rsync-tls", "port": 8000, "targetPort": 8000, "protocol": "TCP"}
        selector: Object = {"app.kubernetes.io/name": f"dst-{name_of(self._owner)}"}
        spec: Object = {"type": kind, "selector": selector, "ports": [port]}
        self.volumes.plant("v1", "Service", name, {"spec": spec})
        service = self._world.store.get("services", namespace_of(self._owner), name) or {}
        ingress = maps(service, "status", "loadBalancer", "ingress")
        given = text(ingress[0], "ip") if ingress else ""
        address = given if kind == "LoadBalancer" else text(service, "spec", "clusterIP")
        if not address:
            return {}
        key = text(self._spec, self._method.secret) or self._name_listener()
        return {self._method.field: {"address": address, "keySecret": key}}

    def _plant_job(self, data: str, cache: str) -> None:
        source, destination = self._method.command
        mounts: list[Json] = [{"name": "data", "mountPath": "/data"}]
        volumes: list[Json] = [{"name": "data", "persistentVolumeClaim": {"claimName": data}}]
        if cache:
            mounts.append({"name": "cache", "mountPath": "/cache"})
            volumes.append({"name": "cache", "persistentVolumeClaim": {"claimName": cache}})
        container: Object = {
            "name": self._method.name,
            "image": self._image,
            "command": [source if self._is_source else destination],
            "args": ["backup" if self._is_source else "restore"],
            "volumeMounts": mounts,
        }
        pod: Object = {
            "containers": [container],
            "restartPolicy": "Never",
            "serviceAccountName": self.job.name,
            "volumes": volumes,
        }
        template: Object = {"metadata": {"labels": dict(CREATED_BY)}, "spec": pod}
        limit = min(self._method.tries, 8)  # kopia's waits for one more
        spec: Object = {"backoffLimit": limit, **self._parallelism, "template": template}
        self.volumes.plant("batch/v1", "Job", self.job.name, {"spec": spec})


def find_fault(world: World, owner: Object) -> PodFault | None:
    """Return what is wrong with the repository that a destination restores from."""
    if text(owner, "kind") != "ReplicationDestination":
        return None
    return world.faults.of_restore(f"{namespace_of(owner)}/{name_of(owner)}")


def find_exit_code(world: World, pod: Object) -> int:
    """Return how a mover's pod ends: 3 where its repository makes it fail."""
    for reference in maps(pod, "metadata", "ownerReferences"):
        if text(reference, "kind") != "Job":
            continue
        job = world.store.get(_JOBS, namespace_of(pod), text(reference, "name")) or {}
        for above in maps(job, "metadata", "ownerReferences"):
            if text(above, "kind") != "ReplicationDestination":
                continue
            owner = world.store.get(DESTINATIONS, namespace_of(pod), text(above, "name")) or {}
            fault = find_fault(world, owner)
            method = next((m for m in METHODS if m.field in at(owner, "spec")), None)
            if fault and method and tell_failure(method, fault):
                return 1 if method.name == "kopia" else 3
    return 0

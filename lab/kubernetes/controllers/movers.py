"""What VolSync's restic mover needs, runs and says: claims, snapshots, the Job, its log.

Names, order and words follow backube/volsync, `internal/controller/mover/restic`,
`internal/controller/volumehandler` and `mover-restic/entry.sh`.
"""

from __future__ import annotations

import zlib
from datetime import timedelta

from lab.kubernetes.controllers.world import World
from lab.kubernetes.store import Place
from lab.kubernetes.values import (
    Json,
    Object,
    at,
    clone,
    dig,
    grow,
    is_going,
    maps,
    name_of,
    namespace_of,
    number,
    reference_of,
    text,
    uid_of,
)

__all__ = ["CLAIMS", "DESTINATIONS", "SNAPSHOT_API", "Mover", "MoverError"]

DESTINATIONS = "replicationdestinations.volsync.backube"
CLAIMS, _SNAPSHOTS = "persistentvolumeclaims", "volumesnapshots.snapshot.storage.k8s.io"
SNAPSHOT_API = "snapshot.storage.k8s.io/v1"
_JOBS = "jobs.batch"
_CREATED_BY: Object = {"app.kubernetes.io/created-by": "volsync"}
_LONGEST_NAME = 63
_SECRET_FIELDS = ("RESTIC_REPOSITORY", "RESTIC_PASSWORD")
_DIRECT = ("Direct", "None")


class MoverError(Exception):
    """A synchronization cannot go on, in the words of VolSync's condition."""


class Mover:
    """One synchronization of a ReplicationDestination or ReplicationSource that uses restic."""

    def __init__(self, world: World, owner: Object, image: str) -> None:
        self._world = world
        self._owner = owner
        self._image = image
        self._spec = at(owner, "spec", "restic")
        self._is_source = text(owner, "kind") == "ReplicationSource"
        self._side = "src" if self._is_source else "dst"

    @property
    def job(self) -> Place:
        """Where the mover's Job is."""
        prefix, name = f"volsync-{self._side}-", name_of(self._owner)
        if len(prefix + name) > _LONGEST_NAME:
            name = f"{zlib.crc32(name.encode()):08x}"
        return Place(_JOBS, namespace_of(self._owner), prefix + name)

    @property
    def claim(self) -> Place:
        """Where the claim of a destination is; a source's copy of its claim."""
        name = f"volsync-{name_of(self._owner)}-{'src' if self._is_source else 'dest'}"
        given = "" if self._is_source else text(self._spec, "destinationPVC")
        return Place(CLAIMS, namespace_of(self._owner), given or name)

    @property
    def _parallelism(self) -> Object:
        return {"parallelism": 0 if dig(self._owner, "spec", "paused") else 1}

    def advance(self) -> bool:
        """Make what is missing; tell whether the Job is done.

        Raises:
            MoverError: something that VolSync does not make is missing or wrong.
        """
        data = self._ensure_source() if self._is_source else self._ensure_destination()
        if data is None:
            return False
        cache = f"volsync-{self._side}-{name_of(self._owner)}-cache"
        modes = dig(self._spec, "cacheAccessModes") or dig(self._spec, "accessModes")
        self._ensure_claim(
            cache,
            modes or dig(data, "spec", "accessModes"),
            dig(self._spec, "cacheCapacity") or "1Gi",
            dig(self._spec, "cacheStorageClassName") or dig(self._spec, "storageClassName"),
        )
        self._plant("v1", "ServiceAccount", self.job.name, {})
        self._check_secret()
        job = self._world.find(self.job)
        if job is None:
            self._plant_job(name_of(data), cache)
            return False
        parallelism = self._parallelism
        self._world.edit(self.job, lambda obj: grow(obj, "spec").update(parallelism))
        return not is_going(job) and number(job, "status", "succeeded") > 0

    def make_image(self) -> Object:
        """Return what stands for a destination's data from now on: a snapshot, or its claim.

        Raises:
            MoverError: it cannot be copied as the object asks.
        """
        method = text(self._spec, "copyMethod")
        if method in _DIRECT:
            return {"apiGroup": "", "kind": "PersistentVolumeClaim", "name": self.claim.name}
        if method != "Snapshot":
            message = f"unsupported copyMethod: {method} -- must be Direct, None, or Snapshot"
            raise MoverError(message)
        name = f"{self.claim.name}-{self._world.clock.now():%Y%m%d%H%M%S}"
        self._plant_snapshot(name, self.claim.name)
        group = SNAPSHOT_API.partition("/")[0]
        return {"apiGroup": group, "kind": "VolumeSnapshot", "name": name}

    def clean_up(self) -> None:
        """Delete what was made for one synchronization only."""
        self._delete(self.job)
        if self._is_source:
            self._delete(self.claim)
            self.delete_snapshot(self.claim.name)

    def delete_snapshot(self, name: str) -> None:
        """Delete a snapshot that was made here."""
        self._delete(Place(_SNAPSHOTS, namespace_of(self._owner), name))

    def _delete(self, place: Place) -> None:
        found = self._world.find(place)
        if found is None or is_going(found):
            return
        owners = maps(found, "metadata", "ownerReferences")
        if any(text(owner, "uid") == uid_of(self._owner) for owner in owners):
            self._world.delete(place)

    def tell_log(self) -> str:
        """Return the lines of the mover's log that VolSync keeps when it succeeded."""
        digest = f"{zlib.crc32(uid_of(self._owner).encode()):08x}"
        where = f"{namespace_of(self._owner)}/{name_of(self._owner)}"
        lines = [f"repository {digest} opened (version 2, compression level auto)"]
        if self._is_source:
            lines += ["no parent snapshot found, will read all files"]
            lines += ["processed 12 files, 5.214 MiB in 0:01", f"snapshot {digest} saved"]
        elif self._world.faults.is_empty(where):
            # Another repository than meant: it is made, and nothing is found in it.
            lines = ["=== Initialize Dir ===", f"created restic repository {digest}"]
            lines += ["No eligible snapshots found", "=== No data will be restored ==="]
        else:
            when = self._world.clock.now() - timedelta(days=1)
            lines += [f"restoring snapshot {digest} of [/data] at {when} by @volsync to ."]
        return "\n".join([*lines, "Restic completed in 4s"])

    def _ensure_destination(self) -> Object | None:
        given = text(self._spec, "destinationPVC")
        if given:
            return self._get_claim(given)
        for field in ("accessModes", "capacity"):
            if not dig(self._spec, field):
                message = f"{field} must be provided when destinationPVC is not"
                raise MoverError(message)
        self._ensure_claim(
            self.claim.name,
            dig(self._spec, "accessModes"),
            dig(self._spec, "capacity"),
            dig(self._spec, "storageClassName"),
        )
        return self._world.find(self.claim)

    def _ensure_source(self) -> Object | None:
        source = self._get_claim(text(self._owner, "spec", "sourcePVC"))
        method = text(self._spec, "copyMethod")
        if method in _DIRECT:
            return source
        if method not in {"Snapshot", "Clone"}:
            message = (
                f"unsupported copyMethod: {method} -- must be Direct, None, Clone, or Snapshot"
            )
            raise MoverError(message)
        if text(source, "status", "phase") != "Bound":
            return None  # nothing to copy yet
        origin: Object = {"kind": "PersistentVolumeClaim", "name": name_of(source)}
        if method == "Snapshot":
            self._plant_snapshot(self.claim.name, name_of(source))
            group = SNAPSHOT_API.partition("/")[0]
            origin = {"apiGroup": group, "kind": "VolumeSnapshot", "name": self.claim.name}
        size = dig(source, "spec", "resources", "requests", "storage")
        modes = dig(self._spec, "accessModes") or dig(source, "spec", "accessModes")
        storage = dig(self._spec, "storageClassName") or dig(source, "spec", "storageClassName")
        self._ensure_claim(
            self.claim.name, modes, dig(self._spec, "capacity") or size, storage, origin
        )
        return self._world.find(self.claim)

    def _get_claim(self, name: str) -> Object:
        found = self._world.store.get(CLAIMS, namespace_of(self._owner), name)
        if found is None:
            message = f'PersistentVolumeClaim "{name}" not found'
            raise MoverError(message)
        return found

    def _check_secret(self) -> None:
        name = text(self._spec, "repository")
        secret = self._world.store.get("secrets", namespace_of(self._owner), name)
        if secret is None:
            message = f'Secret "{name}" not found'
            raise MoverError(message)
        data = at(secret, "data")
        if len(data) < len(_SECRET_FIELDS):
            message = f"secret should have fields: [{' '.join(_SECRET_FIELDS)}]"
            raise MoverError(message)
        for field in _SECRET_FIELDS:
            if field not in data:
                message = f"secret is missing field: {field}"
                raise MoverError(message)

    def _ensure_claim(
        self, name: str, modes: Json, size: Json, storage: Json, origin: Object | None = None
    ) -> None:
        spec: Object = {
            "accessModes": clone(modes),
            "resources": {"requests": {"storage": size}},
        }
        if storage:
            spec["storageClassName"] = storage
        if origin:
            spec["dataSource"] = origin
        planted = self._plant("v1", "PersistentVolumeClaim", name, {"spec": spec})
        if planted is not None and not self._is_source:
            said = f"created PersistentVolumeClaim/{name} to receive incoming data"
            self._world.tell(self._owner, "PersistentVolumeClaimCreated", said, warning=False)

    def _plant_snapshot(self, name: str, claim: str) -> None:
        spec: Object = {"source": {"persistentVolumeClaimName": claim}}
        if wanted := text(self._spec, "volumeSnapshotClassName"):
            spec["volumeSnapshotClassName"] = wanted
        status: Object = {
            "readyToUse": True,
            "creationTime": self._world.api.now(),
            "boundVolumeSnapshotContentName": f"snapcontent-{uid_of(self._owner)}-{name}",
        }
        body: Object = {"spec": spec, "status": status}
        if self._plant(SNAPSHOT_API, "VolumeSnapshot", name, body) is not None:
            said = f"created VolumeSnapshot/{name} from PersistentVolumeClaim/{claim}"
            self._world.tell(self._owner, "VolumeSnapshotCreated", said, warning=False)

    def _plant_job(self, data: str, cache: str) -> None:
        container: Object = {
            "name": "restic",
            "image": self._image,
            "command": ["/mover-restic/entry.sh"],
            "args": ["backup" if self._is_source else "restore"],
            "volumeMounts": [
                {"name": "data", "mountPath": "/data"},
                {"name": "cache", "mountPath": "/cache"},
            ],
        }
        pod: Object = {
            "containers": [container],
            "restartPolicy": "Never",
            "serviceAccountName": self.job.name,
            "volumes": [
                {"name": "data", "persistentVolumeClaim": {"claimName": data}},
                {"name": "cache", "persistentVolumeClaim": {"claimName": cache}},
            ],
        }
        template: Object = {"metadata": {"labels": dict(_CREATED_BY)}, "spec": pod}
        spec: Object = {"backoffLimit": 8, **self._parallelism, "template": template}
        self._plant("batch/v1", "Job", self.job.name, {"spec": spec})

    def _plant(self, api: str, kind: str, name: str, body: Object) -> Object | None:
        obj: Object = {"apiVersion": api, "kind": kind, **body}
        metadata = grow(obj, "metadata")
        metadata.update({"name": name, "namespace": namespace_of(self._owner)})
        metadata["labels"] = dict(_CREATED_BY)
        references: list[Json] = [reference_of(self._owner)]
        metadata["ownerReferences"] = references
        return self._world.plant(obj)

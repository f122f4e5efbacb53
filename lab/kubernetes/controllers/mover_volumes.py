"""The claims and snapshots of VolSync's movers: what data come from or go to, and copies of it.

Names and words follow backube/volsync, `internal/controller/volumehandler`.
"""

from __future__ import annotations

from lab.kubernetes.controllers.world import World
from lab.kubernetes.store import Place
from lab.kubernetes.values import (
    Json,
    Object,
    clone,
    dig,
    grow,
    is_going,
    maps,
    name_of,
    namespace_of,
    reference_of,
    text,
    uid_of,
)

__all__ = ["CLAIMS", "CREATED_BY", "SNAPSHOT_API", "MoverError", "MoverVolumes"]

CLAIMS, _SNAPSHOTS = "persistentvolumeclaims", "volumesnapshots.snapshot.storage.k8s.io"
SNAPSHOT_API = "snapshot.storage.k8s.io/v1"
CREATED_BY: Object = {"app.kubernetes.io/created-by": "volsync"}
_DIRECT = ("Direct", "None")


class MoverError(Exception):
    """A synchronization cannot go on, in the words of VolSync's condition."""


class MoverVolumes:
    """What data are moved from or to, and copies of it."""

    def __init__(self, world: World, owner: Object, spec: Object) -> None:
        self._world = world
        self._owner = owner
        self._spec = spec
        self._is_source = text(owner, "kind") == "ReplicationSource"

    def ensure(self) -> Object | None:
        """Have the claim that data are moved from or to; None while a copy is not possible yet.

        Raises:
            MoverError: something that VolSync does not make is missing or wrong.
        """
        return self._ensure_source() if self._is_source else self._ensure_destination()

    @property
    def claim(self) -> Place:
        """Where the claim of a destination is; a source's copy of its claim."""
        name = f"volsync-{name_of(self._owner)}-{'src' if self._is_source else 'dest'}"
        given = "" if self._is_source else text(self._spec, "destinationPVC")
        return Place(CLAIMS, namespace_of(self._owner), given or name)

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
        self.ensure_claim(
            self.claim.name, modes, dig(self._spec, "capacity") or size, storage, origin
        )
        return self._world.find(self.claim)

    def _ensure_destination(self) -> Object | None:
        given = text(self._spec, "destinationPVC")
        if given:
            return self._get_claim(given)
        for field in ("accessModes", "capacity"):
            if not dig(self._spec, field):
                message = f"{field} must be provided when destinationPVC is not"
                raise MoverError(message)
        self.ensure_claim(
            self.claim.name,
            dig(self._spec, "accessModes"),
            dig(self._spec, "capacity"),
            dig(self._spec, "storageClassName"),
        )
        return self._world.find(self.claim)

    def ensure_claim(
        self, name: str, modes: Json, size: Json, storage: Json, origin: Object | None = None
    ) -> None:
        """Make a claim that is not there; `origin` is what it is a copy of."""
        spec: Object = {
            "accessModes": clone(modes),
            "resources": {"requests": {"storage": size}},
        }
        if storage:
            spec["storageClassName"] = storage
        if origin:
            spec["dataSource"] = origin
        planted = self.plant("v1", "PersistentVolumeClaim", name, {"spec": spec})
        if planted is not None and not self._is_source:
            said = f"created PersistentVolumeClaim/{name} to receive incoming data"
            self._world.tell(self._owner, "PersistentVolumeClaimCreated", said, warning=False)

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

    def delete_snapshot(self, name: str) -> None:
        """Delete a snapshot that was made here."""
        self.delete(Place(_SNAPSHOTS, namespace_of(self._owner), name))

    def plant(self, api: str, kind: str, name: str, body: Object) -> Object | None:
        """Make an object that belongs to the one whose data are moved."""
        obj: Object = {"apiVersion": api, "kind": kind, **body}
        metadata = grow(obj, "metadata")
        metadata.update({"name": name, "namespace": namespace_of(self._owner)})
        metadata["labels"] = dict(CREATED_BY)
        references: list[Json] = [reference_of(self._owner)]
        metadata["ownerReferences"] = references
        return self._world.plant(obj)

    def delete(self, place: Place) -> None:
        """Delete what was made here, and nothing else."""
        found = self._world.find(place)
        if found is None or is_going(found):
            return
        owners = maps(found, "metadata", "ownerReferences")
        if any(text(owner, "uid") == uid_of(self._owner) for owner in owners):
            self._world.delete(place)

    def _get_claim(self, name: str) -> Object:
        found = self._world.store.get(CLAIMS, namespace_of(self._owner), name)
        if found is None:
            message = f'PersistentVolumeClaim "{name}" not found'
            raise MoverError(message)
        return found

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
        if self.plant(SNAPSHOT_API, "VolumeSnapshot", name, body) is not None:
            said = f"created VolumeSnapshot/{name} from PersistentVolumeClaim/{claim}"
            self._world.tell(self._owner, "VolumeSnapshotCreated", said, warning=False)

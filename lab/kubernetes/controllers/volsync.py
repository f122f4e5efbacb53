"""VolSync: ReplicationSources and ReplicationDestinations, once it runs.

Follows backube/volsync, `internal/controller/statemachine`. VolSync watches VolumeSnapshots: where
their kind is not served it does nothing at all.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from inventory.cron import ScheduleError, parse_schedule
from lab.kubernetes.controllers.children import owner_places, place_of
from lab.kubernetes.controllers.mover_methods import METHODS, Method
from lab.kubernetes.controllers.mover_volumes import CLAIMS, SNAPSHOT_API, MoverError
from lab.kubernetes.controllers.movers import DESTINATIONS, Mover, Progress
from lab.kubernetes.controllers.world import World, set_condition
from lab.kubernetes.schedules import find_next_time
from lab.kubernetes.store import Change, Place
from lab.kubernetes.values import (
    Json,
    Object,
    at,
    clone_map,
    is_going,
    maps,
    name_of,
    number,
    text,
    uid_of,
    write_time,
)

__all__ = ["Replications"]

_API, _FORK = "volsync.backube/v1alpha1", "perfectra1n"
_SOURCES = "replicationsources.volsync.backube"
_KINDS = (("ReplicationDestination", DESTINATIONS), ("ReplicationSource", _SOURCES))
# By the condition's reason: its status and message.
_SAYS = {
    "SyncInProgress": ("True", "Synchronization in-progress"),
    "CleaningUp": ("False", "Cleaning up"),
    "WaitingForSchedule": ("False", "Waiting for next scheduled synchronization"),
    "WaitingForManual": ("False", "Waiting for manual trigger"),
}


class Replications:
    """Restores what a ReplicationDestination names, saves what a ReplicationSource names."""

    resources = frozenset(
        {DESTINATIONS, _SOURCES, "jobs.batch", CLAIMS, "secrets", "deployments.apps"}
    )

    def __init__(self, world: World) -> None:
        self._world = world

    def places(self, change: Change) -> Iterable[Place]:
        """One of them; those that own, or may wait for, what changed."""
        if change.resource in {DESTINATIONS, _SOURCES}:
            yield change.place
        elif change.resource == "jobs.batch":
            for kind, resource in _KINDS:
                yield from owner_places(change, kind, resource)
        elif change.resource != "deployments.apps":
            yield from self._list(change.place.namespace)
        elif "volsync" in change.place.name:
            yield from self._list("")

    def reconcile(self, place: Place) -> None:
        """Move one on, from one state to the next at most: each change brings it here again."""
        found = self._world.find(place)
        if found is None or is_going(found) or "rsync" in at(found, "spec"):
            return  # rsync over SSH is not played
        image = self._find_image()
        if not image or not self._world.api.serves(SNAPSHOT_API, "VolumeSnapshot"):
            return
        status = clone_map(at(found, "status"))
        try:
            method = self._find_method(found, image)
            if method is None:
                self._keep_syncthing(found, status)
            else:
                self._move(place, found, status, Mover(self._world, found, image, method))
        except (MoverError, ScheduleError) as error:
            self._say(status, "Error", "False", str(error))
        self._world.edit(place, lambda obj: obj.update({"status": status}))

    def _list(self, namespace: str) -> Iterator[Place]:
        for _, resource in _KINDS:
            for obj in self._world.store.all(resource, namespace):
                yield place_of(resource, obj)

    def _find_image(self) -> str:
        """Return the image of a VolSync that runs; movers have the same one by default."""
        for deployment in self._world.store.all("deployments.apps"):
            if "volsync" in name_of(deployment) and number(deployment, "status", "readyReplicas"):
                containers = maps(deployment, "spec", "template", "spec", "containers")
                return text(containers[0], "image") if containers else ""
        return ""

    def _find_method(self, found: Object, image: str) -> Method | None:
        """Find how an object's data are moved; None for syncthing, which runs for ever.

        Raises:
            MoverError: it says no way that this VolSync has, or more than one.
        """
        is_fork = _FORK in image or self._world.api.serves(_API, "KopiaMaintenance")
        known = [method for method in METHODS if is_fork or method.name != "kopia"]
        spec = at(found, "spec")
        if sum(method.field in spec for method in known) + ("syncthing" in spec) > 1:
            message = "only one replication method can be supplied"
            raise MoverError(message)
        for method in known:
            if method.field in spec:
                return method
        if "syncthing" in spec:
            return None
        names = sorted([*(method.name for method in known), "rsync", "syncthing"])
        message = "a replication method must be specified - enabled movers: "
        raise MoverError(f"{message}[{' '.join(names)}]")

    def _keep_syncthing(self, found: Object, status: Object) -> None:
        """Say what Syncthing tells of itself: it synchronizes for ever, here with nobody."""
        digest = base64.b32encode(hashlib.sha256(uid_of(found).encode()).digest()).decode()
        digest += digest[:4]  # four check digits in life
        groups = [digest[start : start + 7] for start in range(0, 56, 7)]
        peers: list[Json] = [
            {"ID": text(peer, "ID"), "address": text(peer, "address"), "connected": False}
            for peer in maps(found, "spec", "syncthing", "peers")
        ]
        status["syncthing"] = {"ID": "-".join(groups), "peers": peers}
        if not text(status, "lastSyncStartTime"):
            self._begin(status)

    def _move(self, place: Place, found: Object, status: Object, mover: Mover) -> None:
        if text(status, "lastSyncTime"):
            self._read_schedule(found)  # as long as it cannot be read nothing goes on
        if text(status, "lastSyncStartTime"):
            status.update(mover.publish())
            progress = mover.advance()
            if progress is Progress.DONE:
                self._complete(found, status, mover)
                return
            if progress is Progress.FAILED:
                status["latestMoverStatus"] = {"result": "Failed", "logs": mover.tell_failure()}
                mover.delete_job()
            self._say(status, "SyncInProgress")
        elif not text(status, "lastSyncTime"):
            self._begin(status)
        else:
            self._rest(place, found, status, mover)

    def _begin(self, status: Object) -> None:
        status["lastSyncStartTime"] = self._world.api.now()
        self._say(status, "SyncInProgress")

    def _complete(self, found: Object, status: Object, mover: Mover) -> None:
        """Note that the mover's Job is done."""
        outdated = text(status, "latestImage", "name")
        if text(found, "kind") == "ReplicationDestination":
            status["latestImage"] = mover.volumes.make_image()
        if text(status, "latestImage", "name") != outdated:
            mover.volumes.delete_snapshot(outdated)
        status["latestMoverStatus"] = {"result": "Successful", "logs": mover.tell_log()}
        begun = datetime.fromisoformat(text(status, "lastSyncStartTime"))
        lasted_s = (self._world.clock.now() - begun).total_seconds()
        status["lastSyncTime"] = self._world.api.now()
        minutes, seconds = divmod(round(lasted_s), 60)
        status["lastSyncDuration"] = f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
        self._plan_next(found, status)
        status["lastManualSync"] = text(found, "spec", "trigger", "manual")
        del status["lastSyncStartTime"]
        self._say(status, "CleaningUp")

    def _rest(self, place: Place, found: Object, status: Object, mover: Mover) -> None:
        """Clean up, then begin again when it is time, or wait for that."""
        mover.clean_up()
        due = self._plan_next(found, status)
        manual = text(found, "spec", "trigger", "manual")
        if manual:
            is_due = manual != text(status, "lastManualSync")
        else:
            is_due = due is None or self._world.clock.now() > due
        if is_due and self._world.find(mover.job) is None:
            self._begin(status)
            return
        self._say(status, "WaitingForSchedule" if due else "WaitingForManual")
        if due is not None:
            key = f"volsync/{uid_of(found)}"
            left_s = (due - self._world.clock.now()).total_seconds()
            self._world.forget(key)
            self._world.expire(key, max(1.0, left_s + 1.0), lambda: self._look_again(place))

    def _look_again(self, place: Place) -> None:
        self._world.queue(self, place)

    def _plan_next(self, found: Object, status: Object) -> datetime | None:
        """Set when the next synchronization is due by a schedule; a manual trigger has none."""
        schedule = self._read_schedule(found)
        last = datetime.fromisoformat(text(status, "lastSyncTime")).astimezone(UTC)
        due = find_next_time(schedule, last) if schedule else None
        status.pop("nextSyncTime", None)
        if due is not None:
            status["nextSyncTime"] = write_time(due)
        return due

    def _read_schedule(self, found: Object) -> str:
        """Return the schedule that counts; empty beside a manual trigger.

        Raises:
            ScheduleError: it cannot be read.
        """
        trigger = at(found, "spec", "trigger")
        schedule = "" if text(trigger, "manual") else text(trigger, "schedule")
        if schedule:
            parse_schedule(schedule)
        return schedule

    def _say(self, status: Object, reason: str, value: str = "", message: str = "") -> None:
        known, said = _SAYS.get(reason, (value, message))
        now = self._world.api.now()
        set_condition(status, "Synchronizing", known, reason, said, now=now)

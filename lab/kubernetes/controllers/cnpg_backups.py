"""CloudNativePG's Backups and ScheduledBackups: what they say, not what they hold.

Source: `internal/controller/backup_controller.go` and `scheduledbackup_controller.go` of
cloudnative-pg 1.30.
"""

from __future__ import annotations

from collections.abc import Iterable

from inventory.cron import ScheduleError
from lab.kubernetes.controllers.children import place_of
from lab.kubernetes.controllers.cnpg import CLUSTERS, find_operator, is_operator
from lab.kubernetes.controllers.cnpg_growth import BACKUPS
from lab.kubernetes.controllers.cnpg_look import HEALTHY
from lab.kubernetes.controllers.world import World, set_condition
from lab.kubernetes.durations import JOB_RUN_S
from lab.kubernetes.schedules import find_next_time
from lab.kubernetes.store import Change, Place
from lab.kubernetes.values import (
    Json,
    Object,
    at,
    dig,
    grow,
    is_going,
    name_of,
    namespace_of,
    reference_of,
    text,
    uid_of,
    write_time,
)

__all__ = ["Backups"]

_SCHEDULED = "scheduledbackups.postgresql.cnpg.io"
_ENDED = frozenset({"completed", "failed"})
_COMPACT = str.maketrans("", "", "-:TZ")


class Backups:
    """Takes Backups of Clusters that are healthy, and makes those that are due."""

    resources = frozenset({BACKUPS, _SCHEDULED, CLUSTERS, "deployments.apps"})

    def __init__(self, world: World) -> None:
        self._world = world

    def places(self, change: Change) -> Iterable[Place]:
        """One of them; those of a Cluster that changed; all when the operator did."""
        if change.resource in {BACKUPS, _SCHEDULED}:
            yield change.place
            return
        is_cluster = change.resource == CLUSTERS
        if not is_cluster and not is_operator(change.place.name):
            return
        for resource in (BACKUPS, _SCHEDULED):
            for obj in self._world.store.all(
                resource, change.place.namespace if is_cluster else ""
            ):
                if not is_cluster or text(obj, "spec", "cluster", "name") == change.place.name:
                    yield place_of(resource, obj)

    def reconcile(self, place: Place) -> None:
        """Move one on."""
        found = self._world.find(place)
        if found is None or is_going(found) or not find_operator(self._world):
            return
        if place.resource == BACKUPS:
            self._take(place, found)
        else:
            self._schedule(place, found)

    def _take(self, place: Place, backup: Object) -> None:
        if text(backup, "status", "phase") in _ENDED:
            return
        name = text(backup, "spec", "cluster", "name")
        cluster = self._world.store.get(CLUSTERS, place.namespace, name)
        if cluster is None:
            said = f"Unknown cluster {name}, will retry in 30 seconds"
            self._world.tell(backup, "FindingCluster", said)
            self._world.set_status(place, {"phase": "pending"})
            return
        if said := _find_objection(cluster, backup):
            self._world.set_status(place, {"phase": "failed", "error": said})
            self._note(cluster, "False", "LastBackupFailed", said)
            return
        if text(cluster, "status", "phase") != HEALTHY:
            self._world.set_status(place, {"phase": "pending"})
            return
        method = text(backup, "spec", "method") or "barmanObjectStore"
        started: Object = {"phase": "running", "method": method}
        started["startedAt"] = text(backup, "status", "startedAt") or self._world.api.now()
        self._world.set_status(place, started)
        self._world.later(
            f"cnpg-backup/{uid_of(backup)}",
            JOB_RUN_S,
            f"backup {place.namespace}/{place.name} taken",
            lambda: self._complete(place),
        )

    def _complete(self, place: Place) -> None:
        self._world.set_status(place, {"phase": "completed", "stoppedAt": self._world.api.now()})
        backup = self._world.find(place)
        name = text(backup, "spec", "cluster", "name")
        cluster = self._world.store.get(CLUSTERS, place.namespace, name)
        if cluster is not None:
            self._note(cluster, "True", "LastBackupSucceeded", "Backup was successful")

    def _note(self, cluster: Object, value: str, reason: str, message: str) -> None:
        now = self._world.api.now()
        self._world.edit(
            Place(CLUSTERS, namespace_of(cluster), name_of(cluster)),
            lambda obj: set_condition(
                grow(obj, "status"), "LastBackupSucceeded", value, reason, message, now=now
            ),
        )

    def _schedule(self, place: Place, scheduled: Object) -> None:
        """Make a Backup when one is due; the first one at once if that is asked for."""
        if dig(scheduled, "spec", "suspend") is True:
            return
        now = self._world.clock.now()
        try:
            due = find_next_time(text(scheduled, "spec", "schedule"), now, with_seconds=True)
        except ScheduleError as error:
            self._world.tell(scheduled, "InvalidSchedule", str(error))
            return
        status: Object = {"lastCheckTime": write_time(now)}
        if due is not None:
            status["nextScheduleTime"] = write_time(due)
        planned = text(scheduled, "status", "nextScheduleTime")
        is_first = not text(scheduled, "status", "lastCheckTime")
        if is_first and dig(scheduled, "spec", "immediate") is True:
            self._make(scheduled, now.strftime("%Y%m%d%H%M%S"), is_immediate=True)
            status["lastScheduleTime"] = write_time(now)
        elif planned and planned <= write_time(now):
            self._make(scheduled, planned.translate(_COMPACT), is_immediate=False)
            status["lastScheduleTime"] = planned
        elif not is_first:
            status = {}
        self._world.set_status(place, status)
        if due is not None:
            left_s = (due - now).total_seconds() + 1.0
            key = f"cnpg-schedule/{uid_of(scheduled)}"
            self._world.expire(key, left_s, lambda: self._world.queue(self, place))

    def _make(self, scheduled: Object, suffix: str, *, is_immediate: bool) -> None:
        spec = at(scheduled, "spec")
        owners: list[Json] = []
        owner = text(spec, "backupOwnerReference")
        if owner == "self":
            owners.append(reference_of(scheduled))
        elif owner == "cluster":
            name = text(spec, "cluster", "name")
            cluster = self._world.store.get(CLUSTERS, namespace_of(scheduled), name)
            owners += [reference_of(cluster)] if cluster is not None else []
        kept = {"cluster", "method", "target", "online", "pluginConfiguration"}
        labels: Object = {
            "cnpg.io/scheduled-backup": name_of(scheduled),
            "cnpg.io/immediateBackup": str(is_immediate).lower(),
            "cnpg.io/cluster": text(spec, "cluster", "name"),
        }
        self._world.plant(
            {
                "apiVersion": text(scheduled, "apiVersion"),
                "kind": "Backup",
                "metadata": {
                    "name": f"{name_of(scheduled)}-{suffix}",
                    "namespace": namespace_of(scheduled),
                    "labels": labels,
                    "ownerReferences": owners,
                },
                "spec": {key: value for key, value in spec.items() if key in kept},
            }
        )


def _find_objection(cluster: Object, backup: Object) -> str:
    """Return why a Cluster cannot be saved so, in the operator's words."""
    method = text(backup, "spec", "method") or "barmanObjectStore"
    if at(cluster, "metadata", "annotations").get("cnpg.io/hibernation") == "on":
        return "cannot backup a hibernated cluster"
    if method == "plugin":
        has_plugin = bool(dig(cluster, "spec", "plugins"))
        said = "cannot proceed with the backup as the cluster has no plugin configured"
        return "" if has_plugin else said
    if dig(cluster, "spec", "backup") is None:
        return "cannot proceed with the backup as the cluster has no backup section"
    if method not in at(cluster, "spec", "backup"):
        return f"no {method} section defined on the target cluster"
    return ""

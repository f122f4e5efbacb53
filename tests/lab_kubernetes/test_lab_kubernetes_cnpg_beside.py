"""What goes with a database of CloudNativePG in the lab: poolers, backups, Jobs that fail."""

from __future__ import annotations

from datetime import datetime

import pytest

from lab.kubernetes.values import Json, Object, dig, grow, maps, name_of, text
from tests.lab_kubernetes.lab_kubernetes_cluster import Cluster
from tests.lab_kubernetes.lab_kubernetes_cnpg import (
    API,
    database,
    install,
    list_conditions,
    see,
    until_phase,
)

_BACKUP: Json = {"barmanObjectStore": {"destinationPath": "s3://x"}}


def _make(kind: str, name: str, spec: Object) -> Object:
    metadata: Object = {"name": name, "namespace": "default"}
    whole: Object = {"cluster": {"name": "db"}, **spec}
    return {"apiVersion": API, "kind": kind, "metadata": metadata, "spec": whole}


def _make_job(limit: int) -> Object:
    container: Json = {"name": "c", "image": "x:1"}
    pod: Json = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "task", "namespace": "default"},
        "spec": {"backoffLimit": limit, "template": pod},
    }


async def test_pooler_waits_for_its_cluster(ready: Cluster) -> None:
    """It says what is missing, then stands before the Cluster as a Deployment with a Service."""
    await install(ready, _make("Pooler", "pool", {"instances": 2, "pgbouncer": {}}))
    pool = ready.see(API, "Pooler", "pool", "default")
    idle = await pool.until(lambda obj: text(obj, "status", "phase") == "inactive")
    await ready.client.apply(database(), manager="m")
    active = await pool.until(lambda obj: text(obj, "status", "phase") == "active")
    await ready.see("apps/v1", "Deployment", "pool", "default").until(
        lambda obj: dig(obj, "status", "readyReplicas") == 2
    )
    service = await ready.client.get("v1", "Service", "pool", "default")
    secret = await ready.client.get("v1", "Secret", "db-pooler", "default")

    assert 'Cluster "db" not found' == text(idle, "status", "phaseReason")
    assert "" == text(active, "status", "phaseReason")
    assert {"cnpg.io/poolerName": "pool"} == dig(service, "spec", "selector")
    assert {"tls.crt", "tls.key"} == set(grow(secret, "data"))


async def test_backups_wait_for_a_healthy_database(ready: Cluster) -> None:
    """An immediate one is pending until then, and completes; the Cluster says so."""
    schedule: Object = {"schedule": "0 0 3 * * *", "immediate": True}
    schedule["backupOwnerReference"] = "self"
    await install(ready, database(backup=_BACKUP), _make("Backup", "now", {}))
    await ready.client.apply(_make("ScheduledBackup", "nightly", schedule), manager="m")
    now = ready.see(API, "Backup", "now", "default")
    early = await now.until(lambda obj: bool(text(obj, "status", "phase")))
    await now.until(lambda obj: text(obj, "status", "phase") == "completed")
    saved = await see(ready).until(
        lambda obj: list_conditions(obj).get("LastBackupSucceeded") == "True"
    )
    labels = "cnpg.io/scheduled-backup=nightly"
    (backup,) = await ready.client.list(API, "Backup", "default", labels=labels)
    planned = await ready.client.get(API, "ScheduledBackup", "nightly", "default")
    due = datetime.fromisoformat(text(planned, "status", "nextScheduleTime"))

    assert "Cluster in healthy state" == text(saved, "status", "phase")
    assert "pending" == text(early, "status", "phase")
    assert "true" == text(backup, "metadata", "labels", "cnpg.io/immediateBackup")
    assert name_of(backup).startswith("nightly-2")
    assert ["nightly"] == [
        text(owner, "name") for owner in maps(backup, "metadata", "ownerReferences")
    ]
    assert (3, 0) == (due.hour, due.minute)


async def test_schedules_begin_with_seconds(ready: Cluster) -> None:
    """A schedule of five fields is one without a day of the week: `0 2 * * *` is each hour."""
    await install(
        ready, _make("ScheduledBackup", "nightly", {"schedule": "0 2 * * *"}), storage=False
    )
    planned = await ready.see(API, "ScheduledBackup", "nightly", "default").until(
        lambda obj: bool(text(obj, "status", "nextScheduleTime"))
    )
    due = datetime.fromisoformat(text(planned, "status", "nextScheduleTime"))
    checked = datetime.fromisoformat(text(planned, "status", "lastCheckTime"))

    assert 2 == due.minute
    assert (due - checked).total_seconds() <= 3600


@pytest.mark.parametrize(
    ("method", "backup", "said"),
    [
        ("", None, "cannot proceed with the backup as the cluster has no backup section"),
        ("volumeSnapshot", _BACKUP, "no volumeSnapshot section defined on the target cluster"),
        (
            "plugin",
            _BACKUP,
            "cannot proceed with the backup as the cluster has no plugin configured",
        ),
    ],
)
async def test_backups_that_cannot_be_say_why(
    ready: Cluster, method: str, backup: Json, said: str
) -> None:
    """They fail in the operator's words, at once."""
    spec: Object = {"method": method} if method else {}
    made = database(backup=backup) if backup else database()
    await install(ready, made, _make("Backup", "now", spec), storage=False)
    failed = await ready.see(API, "Backup", "now", "default").until(
        lambda obj: text(obj, "status", "phase") == "failed"
    )

    assert said == text(failed, "status", "error")


async def test_images_come_from_catalogues(ready: Cluster) -> None:
    """The catalogue's image of the version is taken; without one the Cluster says so."""
    metadata: Object = {"name": "postgres", "namespace": "default"}
    catalogue: Object = {"apiVersion": API, "kind": "ImageCatalog", "metadata": metadata}
    catalogue["spec"] = {"images": [{"major": 17, "image": "postgres:17.5"}]}
    wanted: Object = {"kind": "ImageCatalog", "name": "postgres", "major": 18}
    await install(ready, catalogue, database(imageCatalogRef=wanted), storage=False)
    await until_phase(ready, "Cluster has incomplete or invalid image catalog")
    body: Object = {"spec": {"imageCatalogRef": {"major": 17}}}
    await ready.client.patch(API, "Cluster", "db", "default", body=body)
    chosen = await until_phase(ready, "Setting up primary")

    assert "postgres:17.5" == text(chosen, "status", "image")


async def test_jobs_are_given_up_at_their_limit(ready: Cluster) -> None:
    """A pod that is never started again fails; the next one comes later each time."""
    ready.plane.set_fault("default/task", "crashing")
    await ready.client.apply(_make_job(limit=2), manager="m")
    failed = await ready.see("batch/v1", "Job", "task", "default").until(
        lambda obj: list_conditions(obj).get("Failed") == "True"
    )
    pods = await ready.client.list("v1", "Pod", "default", labels="job-name=task")

    assert (3, 0) == (dig(failed, "status", "failed"), dig(failed, "status", "active"))
    assert {"Failed"} == {text(pod, "status", "phase") for pod in pods}


async def test_jobs_go_on_when_their_fault_is_over(ready: Cluster) -> None:
    """The next pod of a Job that is not given up yet ends well."""
    ready.plane.set_fault("default/task", "crashing")
    await ready.client.apply(_make_job(limit=6), manager="m")
    seen = ready.see("batch/v1", "Job", "task", "default")
    await seen.until(lambda obj: dig(obj, "status", "failed") == 1)
    ready.plane.set_fault("default/task", "crashing", on=False)
    done = await seen.until(lambda obj: list_conditions(obj).get("Complete") == "True")

    assert 1 == dig(done, "status", "succeeded")

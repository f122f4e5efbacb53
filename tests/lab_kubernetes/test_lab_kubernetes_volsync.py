"""VolSync in the lab: what is restored and saved, in which states and words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from inventory.cron import ScheduleError
from lab.clock import LabClock
from lab.kubernetes.schedules import find_next_time
from lab.kubernetes.values import Object, at, dig, text
from lab.ledger import Ledger
from lab.operating import Operator
from tests.lab_kubernetes.lab_kubernetes_cluster import Cluster, condition
from tests.lab_kubernetes.lab_kubernetes_volsync import (
    CLAIM,
    SECRET,
    install_volsync,
    make_claim,
    make_destination,
    make_source,
    says,
    see_replication,
    tell_condition,
)


async def test_destination_is_restored_once(ready: Cluster) -> None:
    """By a Job of the mover, whose claim becomes a snapshot; the Job goes, the claims stay."""
    await install_volsync(ready, SECRET, make_destination())
    job = ready.see("batch/v1", "Job", "volsync-dst-web", "default")
    made = await job.until(lambda _: True)
    found = await see_replication(ready).until(lambda obj: says(obj, "WaitingForManual"))
    await job.until_gone()
    status = at(found, "status")
    image = text(status, "latestImage", "name")
    snapshot = await ready.client.get(
        "snapshot.storage.k8s.io/v1", "VolumeSnapshot", image, "default"
    )
    cache = await ready.client.get(*CLAIM, "volsync-dst-web-cache", "default")

    assert "quay.io/backube/volsync:0.15.0" in str(made)
    assert image.startswith("volsync-web-dest-2")
    assert "volsync-web-dest" == text(snapshot, "spec", "source", "persistentVolumeClaimName")
    assert "1Gi" == dig(cache, "spec", "resources", "requests", "storage")
    assert "once" == status["lastManualSync"]
    assert "Successful" == text(status, "latestMoverStatus", "result")
    assert "restoring snapshot" in text(status, "latestMoverStatus", "logs")
    assert "lastSyncStartTime" not in status
    assert condition(found, "Synchronizing") == "False"
    assert "Waiting for manual trigger" == tell_condition(found)


async def test_another_tag_restores_again(ready: Cluster) -> None:
    """A changed `trigger.manual` begins anew; the snapshot before goes."""
    await install_volsync(ready, SECRET, make_destination())
    first = await see_replication(ready).until(lambda obj: says(obj, "WaitingForManual"))
    await ready.client.apply(make_destination(manual="twice"), manager="m")
    second = await see_replication(ready).until(
        lambda obj: (
            text(obj, "status", "lastManualSync") == "twice" and says(obj, "WaitingForManual")
        )
    )
    kind = ("snapshot.storage.k8s.io/v1", "VolumeSnapshot")
    names = [text(one, "metadata", "name") for one in await ready.client.list(*kind, "default")]

    assert text(first, "status", "latestImage", "name") not in names
    assert [text(second, "status", "latestImage", "name")] == names


async def test_paused_restore_runs_no_pod(ready: Cluster) -> None:
    """Its Job is there and starts nothing until `paused` is taken away."""
    paused = make_destination()
    paused["spec"] = {**at(paused, "spec"), "paused": True}
    await install_volsync(ready, SECRET, paused)
    job = ready.see("batch/v1", "Job", "volsync-dst-web", "default")
    idle = await job.until(lambda obj: "startTime" in at(obj, "status"))
    pods = await ready.client.list("v1", "Pod", "default")
    await ready.client.apply(make_destination(), manager="m")
    await see_replication(ready).until(lambda obj: says(obj, "WaitingForManual"))

    assert 0 == dig(idle, "status", "active")
    assert not any("volsync-dst" in text(pod, "metadata", "name") for pod in pods)


async def test_empty_repository_counts_as_success(ready: Cluster) -> None:
    """The fault that operators suffer: nothing is restored, the result is Successful."""
    ready.plane.set_fault("default/web", "restore-empty")
    await install_volsync(ready, SECRET, make_destination())
    found = await see_replication(ready).until(lambda obj: says(obj, "WaitingForManual"))
    suggested = await Operator(ready.client, LabClock(Ledger())).suggest_targets()
    logs = text(found, "status", "latestMoverStatus", "logs").splitlines()

    assert "Successful" == text(found, "status", "latestMoverStatus", "result")
    assert "default/" == suggested["restore"]
    assert ["No eligible snapshots found", "=== No data will be restored ==="] == logs[-3:-1]
    assert text(found, "status", "latestImage", "name")


async def test_missing_secret_is_said_until_it_comes(ready: Cluster) -> None:
    """The condition tells of an error in the API's words, and the restore goes on with it."""
    await install_volsync(ready, make_destination())
    failed = await see_replication(ready).until(lambda obj: says(obj, "Error"))
    await ready.client.apply({**SECRET, "stringData": {"RESTIC_PASSWORD": "x"}}, manager="m")
    lacking = await see_replication(ready).until(lambda obj: "secret should" in tell_condition(obj))
    await ready.client.apply(SECRET, manager="m")
    await see_replication(ready).until(lambda obj: says(obj, "WaitingForManual"))

    assert 'Secret "web-restic" not found' == tell_condition(failed)
    wanted = "secret should have fields: [RESTIC_REPOSITORY RESTIC_PASSWORD]"
    assert wanted == tell_condition(lacking)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            {"restic": {"repository": "web-restic", "copyMethod": "Snapshot"}},
            "accessModes must be provided when destinationPVC is not",
        ),
        (
            {"restic": {"repository": "web-restic", "destinationPVC": "gone"}},
            'PersistentVolumeClaim "gone" not found',
        ),
        ({}, "a replication method must be specified - enabled movers: "),
    ],
)
async def test_destinations_that_cannot_be_say_why(ready: Cluster, spec: Object, said: str) -> None:
    """What the object lacks stands in its condition."""
    destination: Object = {**make_destination(), "spec": {"trigger": {"manual": "once"}, **spec}}
    await install_volsync(ready, SECRET, destination)
    failed = await see_replication(ready).until(lambda obj: says(obj, "Error"))

    assert tell_condition(failed).startswith(said)


async def test_source_is_saved_at_once_and_by_schedule(ready: Cluster) -> None:
    """A new source is saved without waiting for its schedule; then the next time is set."""
    await install_volsync(ready, SECRET, make_source("0 3 * * *"), make_claim())
    found = await see_replication(ready, "ReplicationSource").until(
        lambda obj: says(obj, "WaitingForSchedule")
    )
    copy = ready.see(*CLAIM, "volsync-web-src", "default")
    await copy.until_gone()
    await ready.client.apply(make_source("* * * * *"), manager="m")
    last = text(found, "status", "lastSyncTime")
    await see_replication(ready, "ReplicationSource").until(
        lambda obj: text(obj, "status", "lastSyncTime") != last
    )

    assert text(found, "status", "nextSyncTime").endswith("T03:00:00Z")
    assert "saved" in text(found, "status", "latestMoverStatus", "logs")


async def test_schedule_of_six_fields_is_saved_once_and_never_again(ready: Cluster) -> None:
    """The CRD lets it pass; the first backup is made, then its condition tells of an error."""
    await install_volsync(ready, SECRET, make_source("0 5 0 * * *"), make_claim())
    found = await see_replication(ready, "ReplicationSource").until(lambda obj: says(obj, "Error"))
    job = await ready.client.get("batch/v1", "Job", "volsync-src-web", "default")
    await ready.client.apply(make_source("0 5 * * *"), manager="m")
    mended = await see_replication(ready, "ReplicationSource").until(
        lambda obj: says(obj, "WaitingForSchedule")
    )

    assert "expected exactly 5 fields, found 6: [0 5 0 * * *]" == tell_condition(found)
    assert text(found, "status", "lastSyncTime")
    assert text(found, "status", "lastSyncStartTime")
    assert "nextSyncTime" not in at(found, "status")
    assert 1 == dig(job, "status", "succeeded")
    assert text(mended, "status", "nextSyncTime").endswith("T05:00:00Z")


async def test_claim_is_filled_when_its_restore_is_done(ready: Cluster) -> None:
    """A claim that names a destination waits for its image, and says so."""
    await install_volsync(ready, make_claim("web"))
    claim = ready.see(*CLAIM, "web", "default")
    reasons: set[str] = set()
    while "VolSyncPopulatorReplicationDestinationMissing" not in reasons:
        events = await ready.client.list("v1", "Event", "default")
        reasons = {text(event, "reason") for event in events}
        await LabClock(Ledger(), speed=1000.0).pause(1.0)
    await ready.client.apply(make_destination(), manager="m")
    await see_replication(ready).until(lambda obj: says(obj, "Error"))
    waiting = await claim.until(lambda _: True)
    await ready.client.apply(SECRET, manager="m")
    await claim.until(lambda obj: dig(obj, "status", "phase") == "Bound")

    assert "Pending" == text(waiting, "status", "phase")


@pytest.mark.parametrize(
    ("schedule", "then"),
    [
        ("0 3 * * *", "2026-03-01T03:00"),
        ("*/15 * * * *", "2026-02-28T22:30"),
        ("5/20 22 * * *", "2026-02-28T22:25"),
        ("0 0 1 jan,jul *", "2026-07-01T00:00"),
        ("0 0 13 * fri", "2026-03-06T00:00"),
        ("30 1-3/2 * * 1-5", "2026-03-02T01:30"),
        ("@weekly", "2026-03-01T00:00"),
    ],
)
def test_schedules_are_read_as_cron_does(schedule: str, then: str) -> None:
    """Fields, lists, ranges, steps, names and words; 2026-02-28 is a Saturday."""
    found = find_next_time(schedule, datetime(2026, 2, 28, 22, 17, 30, tzinfo=UTC))

    assert then == f"{found:%Y-%m-%dT%H:%M}"


def test_schedules_that_never_come_or_cannot_be_read() -> None:
    """The 30th of February never comes; what is no schedule is refused with what is wrong."""
    now = datetime(2026, 2, 28, tzinfo=UTC)

    assert find_next_time("0 0 30 2 *", now) is None
    for wrong in ("0 3 * *", "0 25 * * *", "x * * * *", "*/0 * * * *", "0 3 * * -"):
        with pytest.raises(ScheduleError):
            find_next_time(wrong, now)

"""VolSync's movers other than restic, and movers that fail."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import pairwise

import pytest

from lab.clock import LabClock
from lab.kubernetes.controllers.mover_methods import METHODS, tell_failure
from lab.kubernetes.faults import PodFault
from lab.kubernetes.values import Json, Object, at, dig, maps, text
from lab.ledger import Ledger
from tests.lab_kubernetes.lab_kubernetes_cluster import Cluster, Watcher, deployment
from tests.lab_kubernetes.lab_kubernetes_volsync import (
    API,
    SECRET,
    install_volsync,
    make_claim,
    make_destination,
    says,
    see_replication,
    tell_condition,
)

FORK = "ghcr.io/perfectra1n/volsync:v0.17.0"
KOPIA_SECRET: Object = {
    **SECRET,
    "stringData": {"KOPIA_REPOSITORY": "filesystem:///x", "KOPIA_PASSWORD": "x"},
}


def _destination(method: str, **spec: Json) -> Object:
    """Write a destination that is restored once by a method."""
    volumes: Object = {"copyMethod": "Snapshot", "accessModes": ["ReadWriteOnce"]}
    body: Object = {"capacity": "5Gi", **volumes, **spec}
    return {**make_destination(), "spec": {"trigger": {"manual": "once"}, method: body}}


def _result(obj: Object) -> str:
    return text(obj, "status", "latestMoverStatus", "result")


async def _watch_failing(cluster: Cluster) -> tuple[Object, list[str]]:
    """Wait for a result; returns the object, and the uids of its Jobs until then and after."""
    job = cluster.see("batch/v1", "Job", "volsync-dst-web", "default")
    first = await job.until(lambda _: True)
    failed = await see_replication(cluster).until(lambda obj: _result(obj) == "Failed")
    again = await job.until(lambda obj: text(obj, "metadata", "uid") != _uid(first))
    return failed, [_uid(first), _uid(again)]


def _uid(obj: Object) -> str:
    return text(obj, "metadata", "uid")


@pytest.mark.parametrize(
    ("fault", "last"),
    [
        ("restore-locked", "ERROR: failure locking repository"),
        ("restore-password", "ERROR: failure connecting to repository, incorrect password"),
    ],
)
async def test_restore_fails_and_is_tried_again(ready: Cluster, fault: str, last: str) -> None:
    """After eight pods the Job goes and comes anew; the condition still says in progress.

    Only the mover's result and log tell; once the fault is over it is restored.
    """
    ready.plane.set_fault("default/web", fault)
    await install_volsync(ready, SECRET, make_destination(), make_claim("web"))
    failed, jobs = await _watch_failing(ready)
    claim = await ready.client.get("v1", "PersistentVolumeClaim", "web", "default")
    ready.plane.set_fault("default/web", fault, on=False)
    restored = await see_replication(ready).until(lambda obj: says(obj, "WaitingForManual"))

    assert last == text(failed, "status", "latestMoverStatus", "logs").splitlines()[-1]
    assert "Synchronization in-progress" == tell_condition(failed)
    assert jobs[0] != jobs[1]
    assert "Pending" == text(claim, "status", "phase")
    assert "Successful" == _result(restored)


async def test_failed_pods_are_counted_and_waited_after(ready: Cluster) -> None:
    """Each pod comes later than the one before, and ends with the mover's exit code."""
    ready.plane.set_fault("default/web", "restore-locked")
    await install_volsync(ready, SECRET, make_destination())
    job = ready.see("batch/v1", "Job", "volsync-dst-web", "default")
    counted = await job.until(lambda obj: dig(obj, "status", "failed") == 5)
    pods = [
        pod
        for pod in await ready.client.list(
            "v1", "Pod", "default", labels="job-name=volsync-dst-web"
        )
        if text(pod, "status", "phase") == "Failed"
    ]
    (ended,) = maps(pods[0], "status", "containerStatuses")
    made_at = sorted(datetime.fromisoformat(text(p, "metadata", "creationTimestamp")) for p in pods)
    waited = [(later - sooner).total_seconds() for sooner, later in pairwise(made_at)]

    assert 80.0 <= waited[-1]
    assert 8 == dig(counted, "spec", "backoffLimit")
    assert 3 == dig(ended, "state", "terminated", "exitCode")


async def test_kopia_restores_by_the_fork(ready: Cluster) -> None:
    """Without a claim for its cache, unless one is asked for; its Secret has other fields."""
    fork = deployment("volsync", image=FORK)
    await install_volsync(ready, fork, SECRET, _destination("kopia", repository="web-restic"))
    lacking = await see_replication(ready).until(lambda obj: says(obj, "Error"))
    await ready.client.delete("v1", "Secret", "web-restic", "default")
    await ready.client.apply(KOPIA_SECRET, manager="m")
    restored = await see_replication(ready).until(lambda obj: says(obj, "WaitingForManual"))
    claims = await ready.client.list("v1", "PersistentVolumeClaim", "default")

    assert "secret is missing field: KOPIA_REPOSITORY" == tell_condition(lacking)
    assert "Snapshot restore completed" == text(restored, "status", "latestMoverStatus", "logs")
    assert ["volsync-web-dest"] == [text(claim, "metadata", "name") for claim in claims]


async def test_kopia_is_unknown_to_volsync_itself(ready: Cluster) -> None:
    """Only the fork has it; the list of movers says so."""
    await install_volsync(ready, SECRET, _destination("kopia", repository="web-restic"))
    refused = await see_replication(ready).until(lambda obj: says(obj, "Error"))

    assert tell_condition(refused).endswith("movers: [rclone restic rsync rsync-tls syncthing]")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, "unable to get Rclone config secret name"),
        ({"rcloneConfig": "web-restic"}, "unable to get Rclone config section name"),
        (
            {"rcloneConfig": "web-restic", "rcloneConfigSection": "s", "rcloneDestPath": "p"},
            "secret is missing field: rclone.conf",
        ),
    ],
)
async def test_rclone_says_what_it_lacks(ready: Cluster, spec: Object, said: str) -> None:
    """In the words of its mover."""
    await install_volsync(ready, SECRET, _destination("rclone", **spec))
    failed = await see_replication(ready).until(lambda obj: says(obj, "Error"))

    assert said == tell_condition(failed)


async def test_rclone_restores(ready: Cluster) -> None:
    """By a Job with a name of its own."""
    secret: Object = {**SECRET, "stringData": {"rclone.conf": "[s]"}}
    spec: Object = {"rcloneConfig": "web-restic", "rcloneConfigSection": "s", "rcloneDestPath": "p"}
    await install_volsync(ready, secret, _destination("rclone", **spec))
    await ready.see("batch/v1", "Job", "volsync-rclone-dst-web", "default").until(lambda _: True)
    restored = await see_replication(ready).until(lambda obj: says(obj, "WaitingForManual"))

    assert "Rclone completed" in text(restored, "status", "latestMoverStatus", "logs")


async def test_rsync_tls_listens(ready: Cluster) -> None:
    """A destination tells address and key, and waits for whoever sends."""
    destination = _destination("rsyncTLS")
    at(destination, "spec").pop("trigger")
    await install_volsync(ready, destination)
    pods = ready.see("batch/v1", "Job", "volsync-rsync-tls-dst-web", "default")
    await pods.until(lambda obj: dig(obj, "status", "active") == 1)
    found = await see_replication(ready).until(
        lambda obj: bool(text(obj, "status", "rsyncTLS", "address"))
    )
    key = await ready.client.get("v1", "Secret", "volsync-rsync-tls-web", "default")
    await LabClock(Ledger(), speed=1000.0).pause(120.0)
    later = await see_replication(ready).until(lambda _: True)

    assert "volsync-rsync-tls-web" == text(found, "status", "rsyncTLS", "keySecret")
    assert ["psk.txt"] == [*at(key, "data")]
    assert "lastSyncTime" not in at(later, "status")
    assert "Synchronization in-progress" == tell_condition(found)


async def test_syncthing_tells_who_it_is(ready: Cluster) -> None:
    """It never comes to an end, and nobody is connected."""
    peers: Json = [{"ID": "ABC", "address": "tcp://10.0.0.1:22000"}]
    source: Object = {**make_destination(), "kind": "ReplicationSource"}
    source["spec"] = {"sourcePVC": "web", "syncthing": {"peers": peers}}
    await install_volsync(ready, source, make_claim())
    watcher: Watcher = ready.see(API, "ReplicationSource", "web", "default")
    found = await watcher.until(lambda obj: bool(at(obj, "status", "syncthing")))
    (peer,) = maps(found, "status", "syncthing", "peers")

    assert [7] * 8 == [*map(len, text(found, "status", "syncthing", "ID").split("-"))]
    assert dig(peer, "connected") is False


def test_movers_without_a_lock_bear_one() -> None:
    """Of kopia and rclone a lock of restic's is unknown; kopia refuses another password."""
    logs = {m.name: tell_failure(m, PodFault.RESTORE_LOCKED) for m in METHODS}
    kopia = next(method for method in METHODS if method.name == "kopia")

    assert ["restic"] == [name for name, log in logs.items() if log]
    assert tell_failure(kopia, PodFault.RESTORE_PASSWORD).endswith("Failed to create repository")
    assert "" == tell_failure(replace(kopia, name="rclone"), PodFault.RESTORE_PASSWORD)

"""CloudNativePG in the lab: what a Cluster is made of, and in which order it comes and goes."""

from __future__ import annotations

import base64

import pytest
from cryptography import x509

from lab.clock import LabClock
from lab.kubernetes.values import Json, Object, at, dig, grow, maps, name_of, text
from lab.ledger import Ledger
from lab.operating import Operator
from tests.lab_kubernetes.lab_kubernetes_cluster import Cluster, deployment
from tests.lab_kubernetes.lab_kubernetes_cnpg import (
    API,
    THIRD,
    database,
    evict,
    install,
    list_conditions,
    list_names,
    list_phases,
    map_nodes,
    map_roles,
    provision,
    run_operator,
    see,
    tell_events,
    until_healthy,
    until_phase,
    until_refused,
)

_WAITING = "Waiting for the instances to become active"
_UNRECOVERABLE = "Cluster is unrecoverable and needs manual intervention"


async def test_cluster_comes_up_instance_by_instance(ready: Cluster) -> None:
    """A Job fills each instance's claims before its pod; Jobs are gone once all is healthy."""
    await install(ready, database(instances=2, walStorage={"size": "1Gi"}))
    phases = await list_phases(ready)
    healthy = at(await until_healthy(ready, 2), "status")
    times = {wait.what: wait for wait in ready.ledger.waits}
    waits, joined = list(times), "volume of default/db-2 provisioned"
    await ready.see("batch/v1", "Job", "db-2-join", "default").until_gone()

    first, second = ["Setting up primary", _WAITING], ["Creating a new replica", _WAITING]
    assert [*first, *second, "Cluster in healthy state"] == phases
    claims = await list_names(ready, "PersistentVolumeClaim")
    assert ["db-1", "db-1-wal", "db-2", "db-2-wal"] == claims == healthy["healthyPVC"]
    assert {"db-1": "primary", "db-2": "replica"} == await map_roles(ready)
    assert 2 == len(set((await map_nodes(ready)).values()))
    assert ("db-1", "db-1") == (healthy["currentPrimary"], healthy["targetPrimary"])
    assert "database default/db taken up" in waits
    assert times["pod default/db-1 ready"].ended_s <= times[joined].begun_s
    assert any("db-1-initdb-" in what for what in waits)
    assert any("db-2-join-" in what for what in waits)
    assert [] == await list_names(ready, "Job", "batch/v1")


async def test_applications_find_their_login(ready: Cluster) -> None:
    """The Secrets have every key that applications read; certificates are the Cluster's own."""
    first: Json = {"initdb": {"database": "shop", "owner": "keeper"}}
    await install(ready, database(bootstrap=first, enableSuperuserAccess=True))
    await until_healthy(ready)
    found = {
        name_of(secret): {
            key: base64.b64decode(str(value)).decode() for key, value in at(secret, "data").items()
        }
        for secret in await ready.client.list(
            "v1", "Secret", "default", labels="cnpg.io/cluster=db"
        )
    }
    app, password = found["db-app"], found["db-app"]["password"]
    authority = x509.load_pem_x509_certificate(found["db-ca"]["ca.crt"].encode())
    server = x509.load_pem_x509_certificate(found["db-server"]["tls.crt"].encode())
    server.verify_directly_issued_by(authority)

    assert {"db-app", "db-superuser", "db-ca", "db-server", "db-replication"} == set(found)
    assert ("keeper", "shop", "db-rw", "5432") == tuple(
        app[key] for key in ("username", "dbname", "host", "port")
    )
    assert f"postgresql://keeper:{password}@db-rw.default:5432/shop" == app["uri"]
    assert app["fqdn-uri"] == app["uri"].replace("default:", "default.svc.cluster.local:")
    assert f"?password={password}&user=keeper" in app["jdbc-uri"]
    assert f"db-rw:5432:shop:keeper:{password}\n" == app["pgpass"]
    assert ("postgres", "*") == (found["db-superuser"]["user"], found["db-superuser"]["dbname"])


@pytest.mark.parametrize(
    ("instances", "spec", "wanted"),
    [
        (1, {}, {"db-primary": 1}),
        (2, {}, {"db-primary": 1}),
        (3, {}, {"db": 1, "db-primary": 1}),
        (3, {"enablePDB": False}, {}),
        (1, {"nodeMaintenanceWindow": {"inProgress": True}}, {}),
        (3, {"nodeMaintenanceWindow": {"inProgress": True}}, {"db-primary": 1}),
    ],
)
async def test_budgets_follow_size_and_maintenance(
    ready: Cluster, instances: int, spec: Object, wanted: dict[str, int]
) -> None:
    """A primary always has one, replicas from three instances on; maintenance lifts them."""
    asked = database(instances=instances)
    at(asked, "spec").update(spec)
    await install(ready, asked, storage=False)
    await until_phase(ready, "Setting up primary")
    budgets = await ready.client.list("policy/v1", "PodDisruptionBudget", "default")

    assert wanted == {name_of(item): dig(item, "spec", "minAvailable") for item in budgets}


async def test_services_follow_the_roles(ready: Cluster) -> None:
    """Readers and writers have Services of their own; owners may leave some and add others."""
    managed: Object = {
        "services": {
            "disabledDefaultServices": ["r"],
            "additional": [
                {
                    "selectorType": "rw",
                    "serviceTemplate": {
                        "metadata": {"name": "db-outside"},
                        "spec": {"type": "LoadBalancer"},
                    },
                }
            ],
        }
    }
    await install(ready, database(managed=managed), storage=False)
    await until_phase(ready, "Setting up primary")
    services = await ready.client.list("v1", "Service", "default", labels="cnpg.io/cluster=db")
    roles = {
        name_of(item): text(item, "spec", "selector", "cnpg.io/instanceRole") for item in services
    }
    outside = await ready.client.get("v1", "Service", "db-outside", "default")

    assert {"db-rw": "primary", "db-ro": "replica", "db-outside": "primary"} == roles
    assert "LoadBalancer" == text(outside, "spec", "type")


async def test_nothing_happens_without_the_operator(ready: Cluster) -> None:
    """A Cluster has no status until CloudNativePG runs, nor while it is told to leave it alone."""
    left: Object = {"cnpg.io/reconciliationLoop": "disabled"}
    await install(ready, database(annotations=left), operator=False)
    before = await ready.client.get(API, "Cluster", "db", "default")
    await run_operator(ready)
    await ready.see("apps/v1", "Deployment", "cloudnative-pg", "default").until(
        lambda obj: dig(obj, "status", "readyReplicas") == 1
    )
    still = await ready.client.get(API, "Cluster", "db", "default")
    await ready.client.patch(
        API, "Cluster", "db", "default", body={"metadata": {"annotations": None}}
    )
    await until_healthy(ready)

    assert "status" not in before
    assert "status" not in still


async def test_claim_that_is_not_bound_holds_everything(ready: Cluster) -> None:
    """The Job waits for it, and the phase says no more than that a primary is set up."""
    await install(ready, database(), storage=False)
    setting_up = await until_phase(ready, "Setting up primary")
    job = await ready.see("batch/v1", "Job", "db-1-initdb", "default").until(
        lambda obj: dig(obj, "status", "active") == 1
    )
    await provision(ready)
    await until_healthy(ready)

    assert "Creating primary instance db-1" == text(setting_up, "status", "phaseReason")
    assert "False" == list_conditions(setting_up)["Ready"]
    assert "initdb" == text(job, "metadata", "labels", "cnpg.io/jobRole")


async def test_instances_that_may_not_share_need_nodes(ready: Cluster) -> None:
    """Required anti-affinity leaves the third instance out until there is a third node."""
    affinity: Json = {"podAntiAffinityType": "required"}
    await install(ready, database(instances=3, affinity=affinity))
    await until_refused(ready, "job-name=db-3-join", "didn't match pod anti-affinity rules")
    stuck = await ready.client.get(API, "Cluster", "db", "default")
    await ready.plane.start_kubelet(THIRD)
    await until_healthy(ready, 3)

    assert "Creating replica db-3-join" == text(stuck, "status", "phaseReason")
    assert 2 == dig(stuck, "status", "readyInstances")
    assert {"cp-1", "worker-1", "worker-2"} == set((await map_nodes(ready)).values())


async def test_drain_of_a_single_instance_is_refused(ready: Cluster) -> None:
    """Its budget never allows it: nobody can take over; a maintenance window lifts it."""
    await install(ready, database())
    await until_healthy(ready)
    node = (await map_nodes(ready))["db-1"]
    await ready.plane.keeper.cordon(node)
    refused = await evict(ready, "db-1")
    window: Object = {"nodeMaintenanceWindow": {"inProgress": True}}
    await ready.client.patch(API, "Cluster", "db", "default", body={"spec": window})
    await ready.see("policy/v1", "PodDisruptionBudget", "db-primary", "default").until_gone()

    assert not refused
    assert await evict(ready, "db-1")


async def test_primary_leaves_a_cordoned_node(ready: Cluster) -> None:
    """A switchover makes it a replica, which a drain takes; it comes back elsewhere."""
    await install(ready, database(instances=2))
    await until_healthy(ready, 2)
    node = (await map_nodes(ready))["db-1"]
    refused = await evict(ready, "db-1")
    await ready.plane.keeper.cordon(node)
    switching = await until_phase(ready, "Switchover in progress")
    await until_healthy(ready, 2)
    roles = await map_roles(ready)
    passed = await evict(ready, "db-1")
    await until_phase(ready, _WAITING)
    await until_healthy(ready, 2)

    because = f"because primary instance was running on unschedulable node {node}"
    assert f"Switching over to db-2, {because}" == text(switching, "status", "phaseReason")
    assert {"db-1": "replica", "db-2": "primary"} == roles
    assert [False, True] == [refused, passed]
    assert node not in (await map_nodes(ready)).values()
    assert "database default/db has primary db-2" in [w.what for w in ready.ledger.waits]


async def test_replica_takes_over_from_a_lost_node(ready: Cluster) -> None:
    """The primary's node is heard of no more: a replica is promoted, and the phase stays so."""
    await ready.plane.start_kubelet(THIRD)
    await ready.see("v1", "Node", THIRD.name).until(lambda _: True)
    away: Json = {"nodeSelector": {"database": "yes"}}
    for node in ("worker-1", "worker-2"):
        labels: Object = {"metadata": {"labels": {"database": "yes"}}}
        await ready.client.patch("v1", "Node", node, body=labels)
    await install(ready, database(instances=2, affinity=away))
    await until_healthy(ready, 2)
    node = (await map_nodes(ready))["db-1"]
    await ready.plane.stop_kubelet(node, is_lost=True)
    promoted = await see(ready).until(lambda obj: dig(obj, "status", "currentPrimary") == "db-2")
    roles = await map_roles(ready)

    assert "Failing over from db-1 to db-2" == text(promoted, "status", "phaseReason")
    assert 2 == dig(promoted, "status", "timelineID")
    assert "False" == list_conditions(promoted)["Ready"]
    assert "primary" == roles["db-2"]
    assert any("FailoverTarget" in event for event in await tell_events(ready))


async def test_recovery_without_a_backup_is_given_up(ready: Cluster) -> None:
    """The Job fails until its limit, and the Cluster is unrecoverable until it is made anew."""
    ready.plane.set_fault("default/db", "recovery-absent")
    await install(ready, database(bootstrap={"recovery": {"source": "old"}}))
    lost = await until_phase(ready, _UNRECOVERABLE)
    job = await ready.client.get("batch/v1", "Job", "db-1-full-recovery", "default")
    operator = Operator(ready.client, LabClock(Ledger()))
    targets = await operator.suggest_targets()
    deleted = [await operator.delete_unrecovered() for _ in range(2)]
    ready.plane.set_fault("default/db", "recovery-absent", on=False)
    await ready.see("batch/v1", "Job", "db-1-full-recovery", "default").until_gone()
    await ready.client.apply(database(bootstrap={"recovery": {"source": "old"}}), manager="m")
    await until_healthy(ready)

    assert {"recovery": "default/", "database": "default/"} == {
        name: targets[name] for name in ("recovery", "database")
    }
    assert [1, 0] == deleted
    assert "following jobs: db-1-full-recovery." in text(lost, "status", "phaseReason")
    assert 7 == dig(job, "status", "failed")
    assert "BackoffLimitExceeded" == text(maps(job, "status", "conditions")[-1], "reason")


async def test_recovery_waits_for_its_backup(ready: Cluster) -> None:
    """A Backup object of another life is not in a new cluster: an event tells, no phase does."""
    recovery: Json = {"recovery": {"backup": {"name": "old"}}}
    await install(ready, database(bootstrap=recovery))
    waiting = await see(ready).until(lambda obj: "Initialized" in list_conditions(obj))
    events = await tell_events(ready)
    metadata: Object = {"name": "old", "namespace": "default"}
    backup: Object = {"apiVersion": API, "kind": "Backup", "metadata": metadata}
    await ready.client.create({**backup, "status": {"phase": "completed"}})
    status: Object = {"status": {"phase": "completed"}}
    await ready.client.patch(API, "Backup", "old", "default", body=status, subresource="status")
    await until_healthy(ready)

    assert "" == text(waiting, "status", "phase")
    assert ['ErrorNoBackup: Backup object "default/old" is missing'] == events


async def test_full_volumes_stop_postgresql(ready: Cluster) -> None:
    """Its manager ends with a code of its own, by which the operator tells; room heals it."""
    ready.plane.set_fault("default/db", "database-full")
    await install(ready, database())
    full = await until_phase(ready, "Not enough disk space")
    ready.plane.set_fault("default/db", "database-full", on=False)
    await until_healthy(ready)

    assert 0 == dig(full, "status", "readyInstances")


async def test_sleeping_database_keeps_its_claims(ready: Cluster) -> None:
    """Hibernation waits for a healthy Cluster, then takes its pods; it wakes with its data."""
    await install(ready, database(annotations={"cnpg.io/hibernation": "on"}))
    await see(ready).until(lambda obj: list_conditions(obj).get("cnpg.io/hibernation") == "True")
    asleep = await map_nodes(ready), await list_names(ready, "PersistentVolumeClaim")
    await ready.client.patch(
        API, "Cluster", "db", "default", body={"metadata": {"annotations": None}}
    )
    await ready.see("v1", "Pod", "db-1", "default").until(lambda _: True)
    awake = await until_healthy(ready)

    assert ({}, ["db-1"]) == asleep
    assert "cnpg.io/hibernation" not in list_conditions(awake)


async def test_size_follows_the_spec(ready: Cluster) -> None:
    """The youngest replica goes with its claims; without any claim nothing can be saved."""
    await install(ready, database(instances=2))
    await until_healthy(ready, 2)
    await ready.client.patch(API, "Cluster", "db", "default", body={"spec": {"instances": 1}})
    await until_healthy(ready, 1)
    left = await list_names(ready, "PersistentVolumeClaim")
    await ready.client.delete("v1", "PersistentVolumeClaim", "db-1", "default")
    await ready.client.delete("v1", "Pod", "db-1", "default")
    lost = await until_phase(ready, _UNRECOVERABLE)

    assert ["db-1"] == left
    assert "no PersistentVolumeClaims (PVCs) exist" in text(lost, "status", "phaseReason")


async def test_applications_wait_for_their_database(ready: Cluster) -> None:
    """A container that asks for it holds the pod's others until the primary answers."""
    web = {**deployment("web"), "kind": "StatefulSet"}
    wait: Object = {"name": "cnpg-wait", "image": "client:1"}
    wait["command"] = ["/bin/sh", "-c", "until pg_isready -U app -h db-rw; do sleep 5; done"]
    grow(web, "spec", "template", "spec")["initContainers"] = [wait]
    await install(ready, web, database(), storage=False)
    held = await ready.see("v1", "Pod", "web-0", "default").until(
        lambda obj: bool(maps(obj, "status", "initContainerStatuses"))
    )
    await provision(ready)
    await ready.see("apps/v1", "StatefulSet", "web", "default").until(
        lambda obj: dig(obj, "status", "readyReplicas") == 1
    )
    ended = [wait.what for wait in ready.ledger.waits]

    reasons = [text(item, "state", "waiting", "reason") for item in _statuses(held)]
    assert ["PodInitializing"] == reasons
    assert ended.index("pod default/db-1 ready") < ended.index("pod default/web-0 ready")


def _statuses(pod: Object) -> list[Object]:
    return maps(pod, "status", "containerStatuses")

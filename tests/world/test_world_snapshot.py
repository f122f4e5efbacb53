"""How a component is judged: its Kustomization, its releases, their workloads and addresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from inventory import Component, Layer
from lifecycle.drivers.documents import Json, JsonObject, object_at
from lifecycle.drivers.kubernetes import KubernetesObject
from lifecycle.gates.layer import LayerIsReady
from lifecycle.world import World
from lifecycle.world.flux_status import State
from lifecycle.world.layers import LayerScope
from lifecycle.world.snapshot import Snapshot, describe_workload, is_workload_ready
from tests.world.world_values import component, live_object, release

COMMIT = "c0ffee"
_READY: JsonObject = {"type": "Ready", "status": "True", "reason": "Done", "message": "done"}
APP = replace(component("app"), releases=(release("app"),))


def flux(kind: str, name: str, *, is_ready: bool = True, **status: Json) -> KubernetesObject:
    """A Flux object."""
    condition = _READY if is_ready else {**_READY, "status": "False", "message": "not yet"}
    group = "kustomize" if kind == "Kustomization" else "helm"
    base: JsonObject = {"observedGeneration": 1, "conditions": [condition]}
    return live_object(f"{group}.toolkit.fluxcd.io/v1", kind, name, status={**base, **status})


def kustomization(name: str, *, commit: str = COMMIT) -> KubernetesObject:
    """A Kustomization that is Ready at a commit."""
    return flux("Kustomization", name, lastAppliedRevision=f"main@sha1:{commit}")


def deployment(owner: str, wanted: int, ready: int) -> KubernetesObject:
    """A Deployment of a release."""
    status: JsonObject = {"observedGeneration": 1, "readyReplicas": ready}
    return live_object(
        "apps/v1", "Deployment", owner, owner=owner, spec={"replicas": wanted}, status=status
    )


def service(owner: str, *addresses: str, kind: str = "LoadBalancer") -> KubernetesObject:
    """A Service of a release."""
    ingress: Json = [{"ip": address} for address in addresses]
    status: JsonObject = {"loadBalancer": {"ingress": ingress}}
    return live_object("v1", "Service", owner, owner=owner, spec={"type": kind}, status=status)


def make_snapshot(
    *,
    kustomizations: Sequence[KubernetesObject] = (),
    releases: Sequence[KubernetesObject] = (),
    workloads: Sequence[KubernetesObject] = (),
    services: Sequence[KubernetesObject] = (),
    has_pools: bool = False,
    makers: Sequence[KubernetesObject] = (),
    restores: Sequence[KubernetesObject] = (),
    databases: Sequence[KubernetesObject] = (),
) -> Snapshot:
    """A look at a cluster that holds this."""
    return Snapshot(
        {("flux-system", item.name): item for item in kustomizations},
        {(item.name, item.name): item for item in releases},
        tuple(workloads),
        tuple(services),
        (),
        (),
        has_pools,
        tuple(makers),
        tuple(restores),
        tuple(databases),
    )


def judge(snapshot: Snapshot, judged: Component = APP) -> tuple[State, str]:
    """How a component stands."""
    readiness = snapshot.judge(judged, commit=COMMIT)
    return readiness.state, readiness.message


def test_ready_means_its_workloads_are() -> None:
    """Kustomization, release and workloads are ready: so is the component."""
    snapshot = make_snapshot(
        kustomizations=[kustomization("app")],
        releases=[flux("HelmRelease", "app")],
        workloads=[deployment("app", 2, 2), deployment("other", 2, 0)],
    )

    assert (State.READY, "done") == judge(snapshot)


def test_applied_is_not_ready() -> None:
    """A Kustomization without `wait` is Ready at once; what it applied is asked itself."""
    applied = [kustomization("app")]
    failing = [flux("HelmRelease", "app", is_ready=False)]
    waiting = make_snapshot(
        kustomizations=applied,
        releases=[flux("HelmRelease", "app")],
        workloads=[deployment("app", 3, 1)],
    )

    assert (State.WAITING, "HelmRelease app: not there") == judge(
        make_snapshot(kustomizations=applied)
    )
    assert (State.WAITING, "HelmRelease app: Done: not yet") == judge(
        make_snapshot(kustomizations=applied, releases=failing)
    )
    assert (State.WAITING, "Deployment app: 1 of 3 ready") == judge(waiting)


def test_commit_counts_for_local_components_only() -> None:
    """What comes from another repository has revisions of its own."""
    snapshot = make_snapshot(kustomizations=[kustomization("app", commit="0ther")])
    plain = replace(APP, releases=())

    assert State.WAITING is judge(snapshot, plain)[0]
    assert State.READY is judge(snapshot, replace(plain, is_local=False))[0]


def test_suspended_release_is_not_waited_for() -> None:
    """What Git wants to rest rests."""
    resting = replace(APP, releases=(release("app", suspend=True),))

    assert State.READY is judge(make_snapshot(kustomizations=[kustomization("app")]), resting)[0]


@pytest.mark.parametrize(
    ("item", "is_ready", "text"),
    [
        (deployment("a", 2, 2), True, "2 of 2 ready"),
        (deployment("a", 0, 0), True, "0 of 0 ready"),
        (deployment("a", 1, 0), False, "0 of 1 ready"),
        (live_object("apps/v1", "StatefulSet", "a", status={}), False, "0 of 1 ready"),
        (
            live_object(
                "apps/v1",
                "DaemonSet",
                "a",
                status={"observedGeneration": 1, "desiredNumberScheduled": 3, "numberReady": 3},
            ),
            True,
            "3 of 3 ready",
        ),
        (live_object("apps/v1", "DaemonSet", "a", status={}), False, "0 of 0 ready"),
    ],
    ids=["all", "none-wanted", "none", "default-is-one", "daemons", "not-looked-at"],
)
def test_workload(item: KubernetesObject, *, is_ready: bool, text: str) -> None:
    """A workload is ready with all replicas of its present spec."""
    assert (is_ready, text) == (is_workload_ready(item), describe_workload(item))


def test_lacking_addresses_are_of_own_load_balancers() -> None:
    """Only LoadBalancer services of the component's releases, and only without an address."""
    lacking = make_snapshot(services=[service("app"), service("other")])
    addressed = make_snapshot(services=[service("app", "10.0.0.30")])
    internal = make_snapshot(services=[service("app", kind="ClusterIP")])

    assert ("app/app",) == lacking.lacks_addresses(APP)
    assert () == addressed.lacks_addresses(APP)
    assert () == internal.lacks_addresses(APP)


@pytest.mark.parametrize(
    ("has_pools", "deferrable", "is_left"),
    [(False, True, True), (True, True, False), (False, False, False)],
    ids=["pools-come-later", "pools-are-there", "last-layer"],
)
def test_release_without_address_pools_is_left_for_later(
    *, has_pools: bool, deferrable: bool, is_left: bool
) -> None:
    """A release that waits for an address is left for later only where a later layer may help."""
    snapshot = make_snapshot(services=[service("app")], has_pools=has_pools)
    scope = LayerScope(Layer("kube-system", "", 0, ("app",), ()), (APP,))
    world = cast("World", SimpleNamespace(inventory=SimpleNamespace(releases=())))
    gate = LayerIsReady(world, scope, deferrable=deferrable)

    assert gate._find_left([APP], snapshot) == (("app",) if is_left else ())


@pytest.mark.parametrize(
    ("is_applied", "is_made", "deferrable", "is_left"),
    [
        (False, False, True, True),
        (True, False, True, False),
        (False, True, True, False),
        (False, False, False, False),
    ],
    ids=["layer-comes-later", "layer-has-come", "secret-is-made", "last-layer"],
)
def test_release_without_its_certificate_is_left_for_the_layer_of_cert_manager(
    *, is_applied: bool, is_made: bool, deferrable: bool, is_left: bool
) -> None:
    """As intel-device-plugins in kube-system: its webhook's Secret comes from a later layer."""
    status: JsonObject = {"conditions": [_READY] if is_made else []}
    certificate = live_object(
        "cert-manager.io/v1", "Certificate", "serving", owner="app", status=status
    )
    applied = [flux("HelmRelease", "cert-manager", is_ready=False)] if is_applied else []
    snapshot = make_snapshot(makers=[certificate], releases=applied)
    scope = LayerScope(Layer("kube-system", "", 0, ("app",), ()), (APP,))
    inventory = SimpleNamespace(releases=(release("app"), release("cert-manager")))
    world = cast("World", SimpleNamespace(inventory=inventory))
    gate = LayerIsReady(world, scope, deferrable=deferrable)

    needs_release = replace(release("gpu"), depends_on=(("app", "app"),))
    others = [
        replace(component("gpu"), releases=(needs_release,)),
        component("after-gpu", "gpu"),
        component("other"),
    ]
    left = gate._find_left([*others, APP], snapshot)

    assert left == (("gpu", "after-gpu", "app") if is_left else ())


def test_claims_of_backups_are_not_waited_for() -> None:
    """Those of restores and applications are; a backup's comes and goes at its hour."""

    def claim(name: str, phase: str, *owners: str) -> KubernetesObject:
        made = live_object("v1", "PersistentVolumeClaim", name, status={"phase": phase})
        references: Json = [{"kind": kind, "name": "it"} for kind in owners]
        metadata = {**object_at(made.raw, "metadata"), "ownerReferences": references}
        return KubernetesObject({**made.raw, "metadata": metadata})

    snapshot = replace(
        make_snapshot(),
        claims=(
            claim("bound", "Bound"),
            claim("app", "Pending"),
            claim("new", ""),
            claim("restore", "Pending", "ReplicationDestination"),
            claim("backup", "Pending", "ReplicationSource"),
        ),
    )

    assert snapshot.tell_pending_claims() == (
        "claim flux-system/app is Pending",
        "claim flux-system/new is new",
        "claim flux-system/restore is Pending",
    )


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (
            {"latestMoverStatus": {"result": "Failed", "logs": "a\nERROR: failure locking"}},
            ", its restore fails: ERROR: failure locking",
        ),
        (
            {"latestMoverStatus": {"result": "Failed"}},
            ", its restore fails: its mover says nothing",
        ),
        (
            {"conditions": [{**_READY, "reason": "Error", "message": "no Secret"}]},
            ", its restore fails: no Secret",
        ),
        ({"latestMoverStatus": {"result": "Successful", "logs": "done"}}, ""),
    ],
)
def test_claims_say_that_their_restore_fails(status: JsonObject, said: str) -> None:
    """What a gate waits for is told with why it does not come."""
    source: JsonObject = {"kind": "ReplicationDestination", "name": "data"}
    waiting = live_object("v1", "PersistentVolumeClaim", "data", spec={"dataSourceRef": source})
    destination = live_object(
        "volsync.backube/v1alpha1", "ReplicationDestination", "data", status=status
    )
    snapshot = replace(make_snapshot(restores=[destination]), claims=(waiting,))

    assert (f"claim flux-system/data is new{said}",) == snapshot.tell_pending_claims()


def test_restores_of_nothing_are_named() -> None:
    """VolSync calls it a success; its mover's log tells, and only of the one that found nothing."""

    def restore(name: str, logs: str) -> KubernetesObject:
        said: JsonObject = {"latestMoverStatus": {"result": "Successful", "logs": logs}}
        return live_object("volsync.backube/v1alpha1", "ReplicationDestination", name, status=said)

    snapshot = make_snapshot(
        restores=[
            restore("full", "restoring snapshot 1 of [/data] to .\nRestic completed in 4s"),
            restore("empty", "No eligible snapshots found\n=== No data will be restored ==="),
            live_object("volsync.backube/v1alpha1", "ReplicationDestination", "new"),
        ]
    )

    said = "; restored nothing, for want of a snapshot: flux-system/empty"
    assert said == snapshot.tell_empty_restores()
    many = make_snapshot(
        restores=[restore(str(n), "No eligible snapshots found") for n in range(5)]
    )

    assert not make_snapshot().tell_empty_restores()
    assert many.tell_empty_restores().endswith("flux-system/2 and 2 more")


def test_databases_that_lack_instances_are_named() -> None:
    """What counts is instances that are ready: a phase stays healthy when the only one is gone."""

    def database(name: str, phase: str, ready: int, *true: str) -> KubernetesObject:
        said: JsonObject = {
            "phase": phase,
            "readyInstances": ready,
            "conditions": [{"type": kind, "status": "True"} for kind in true],
        }
        made = live_object("postgresql.cnpg.io/v1", "Cluster", name, status=said)
        return KubernetesObject({**made.raw, "spec": {"instances": 2}})

    healthy = "Cluster in healthy state"
    snapshot = make_snapshot(
        databases=[
            database("good", healthy, 2, "Ready"),
            database("asleep", healthy, 0, "Ready", "cnpg.io/hibernation"),
            database("gone", healthy, 1, "Ready"),
            database("moving", "Switchover in progress", 2),
            live_object("postgresql.cnpg.io/v1", "Cluster", "new"),
        ]
    )

    assert (
        f"database flux-system/gone: {healthy}, 1 of 2 instances ready",
        "database flux-system/moving: Switchover in progress, 2 of 2 instances ready",
        "database flux-system/new: not taken up by CloudNativePG, 0 of 1 instances ready",
    ) == snapshot.list_unready_databases()

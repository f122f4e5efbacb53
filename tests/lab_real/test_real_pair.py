"""The lab's Kubernetes on a real kube-apiserver and etcd, driven as machines drive it.

One cluster lives from its beginning to its recovery; each test looks at one part of the tale.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from lab.kubernetes.values import dig, name_of, text
from lab.ports import EtcdSeat
from lab.real import Programs, RealEtcd, find_programs
from tests.lab_kubernetes.lab_kubernetes_cluster import (
    make_pki,
)
from tests.lab_kubernetes.real_apiserver import VARIABLE, explain_missing
from tests.lab_real.pair_life import NODE, Tale, tell

pytestmark = pytest.mark.tools


@pytest.fixture(scope="module")
def programs() -> Programs:
    """The real pair."""
    if reason := explain_missing():
        pytest.skip(reason)
    return find_programs(Path(os.environ[VARIABLE]))


@pytest.fixture(scope="module")
def tale(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Tale:
    """Live through it once."""
    return asyncio.run(tell(programs, tmp_path_factory.mktemp("pair")))


def test_real_server_answers_at_the_vip(tale: Tale, programs: Programs) -> None:
    """The version is that of the program, at the address that moves between control planes."""
    assert programs.apiserver_version == tale.version


def test_pod_runs_by_the_labs_controllers(tale: Tale) -> None:
    """Deployment, ReplicaSet, scheduler and kubelet of the lab act on the real API."""
    assert (NODE.name, "Running") == (
        text(tale.pod, "spec", "nodeName"),
        text(tale.pod, "status", "phase"),
    )
    # A default that only the real API server fills in.
    assert True is dig(tale.pod, "spec", "enableServiceLinks")


def test_schema_is_checked(tale: Tale) -> None:
    """An object against the schema of its kind is refused in the server's own words."""
    assert "spec.template.spec.containers: Required value" in tale.refusal


def test_a_machine_drains_its_node(tale: Tale) -> None:
    """A budget holds a pod back by the server's own rules; Talos' mark comes and goes."""
    drained = tale.drained

    assert ((True, "true"), (None, "")) == (drained.cordoned, drained.uncordoned)
    assert (False, True, True) == (drained.held, drained.evicted, drained.is_gone)


def test_longhorn_blocks_a_drain(tale: Tale) -> None:
    """The server refuses by Longhorn's budget while the node has the last replica, then obeys."""
    assert (False, True) == tale.longhorn


def test_pods_are_let_in_by_the_servers_own_rules(tale: Tale) -> None:
    """Pod Security as the machine config has it, and accounts that must exist, are told of."""
    privileged, stranger = tale.forbidden

    assert 'Error creating: pods "privileged-' in privileged
    assert 'is forbidden: violates PodSecurity "baseline:latest": privileged' in privileged
    assert stranger.endswith(
        'error looking up service account default/nobody: serviceaccount "nobody" not found'
    )


def test_webhooks_are_asked_by_the_server(tale: Tale) -> None:
    """The server calls who is behind a service, over TLS that it trusts, and heeds the answer."""
    absent, agreed, denied = tale.guarded

    assert 'failed calling webhook "guard.example.org"' in absent
    assert "no endpoints available" in absent
    assert "" == agreed
    assert 'admission webhook "guard.example.org" denied the request' in denied


def test_kubelets_are_dialled(tale: Tale) -> None:
    """Logs fail as in life until the certificate is approved; then they say why there are none."""
    before, after, executed, proxied = tale.kubelet

    assert "remote error: tls: internal error" in before
    assert "Internal error occurred: the lab simulates pods: no container runs" in after
    assert "the lab simulates pods: no container runs" in executed
    assert "ok" == proxied


def test_others_writes_are_seen(tale: Tale) -> None:
    """The mirror follows clients that know nothing of the lab."""
    assert "yes" == text(tale.outsider, "metadata", "labels", "outside")


def test_kind_of_a_crd_is_served(tale: Tale) -> None:
    """A kind can be used once its CRD is Established, its status by its subresource."""
    assert True is dig(tale.thing, "status", "seen")


def test_dependents_are_collected(tale: Tale) -> None:
    """What a deleted Deployment owned goes with it."""
    assert [] == tale.left


def test_namespace_is_emptied_and_goes(tale: Tale) -> None:
    """A namespace that holds something goes once that is gone."""
    assert "brief" not in tale.spaces
    assert "default" in tale.spaces


def test_programs_that_crash_are_started_again(tale: Tale) -> None:
    """As a kubelet and Talos do: clients that try again go on where they were."""
    assert ["etcd", "kube-apiserver"] == list(tale.crashed)
    assert "survivor" == name_of(tale.survivor)


def test_snapshot_is_of_the_real_data(tale: Tale) -> None:
    """Keys lie where kube-apiserver has them, Secrets encrypted as in Talos."""
    assert "/registry/configmaps/default/before" in tale.keys
    assert tale.secret.startswith(b"k8s:enc:secretbox:v1:key2:")
    assert b"abracadabra" not in tale.secret


def test_recovered_cluster_has_the_data_of_its_snapshot(tale: Tale) -> None:
    """What was written after the snapshot is gone, what was deleted after it is back and runs."""
    assert {"before": True, "after": False} == tale.recovered
    assert [name_of(tale.pod)] == tale.pods_again


async def test_members_join_leave_and_come_back(programs: Programs, tmp_path: Path) -> None:
    """A learner catches up and is promoted; data is on each member, and outlives a restart."""
    pki = make_pki()
    seats = [
        EtcdSeat(f"cp-{number}", f"127.44.{number}.{os.getpid() % 250 + 1}", pki.ca_crt, pki.ca_key)
        for number in (1, 2, 3)
    ]
    etcd = RealEtcd(programs, tmp_path)
    try:
        first = await etcd.form(seats[0], None)
        others = []
        for seat in seats[1:]:
            others.append(await etcd.join(seat, "cp-1"))
            await etcd.promote("cp-1", others[-1])
        await etcd.remove("cp-1", others[0])
        await etcd.wipe("cp-2")
        again = await etcd.join(seats[1], "cp-3")
        await etcd.promote("cp-3", again)
        await etcd.stop("cp-1")
        await etcd.start(seats[0])
        state = await etcd.describe("cp-3")
    finally:
        await etcd.close()

    assert 4 == len({first, *others, again})
    assert state.leader in {first, others[1], again}

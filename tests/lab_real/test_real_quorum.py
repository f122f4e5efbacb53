"""Three real members, of which two are lost: what the API says, and how a snapshot ends it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import pytest

from lab.clock import LabClock
from lab.kubernetes import Kubernetes
from lab.kubernetes.errors import UnavailableError
from lab.ledger import Ledger
from lab.ports import EtcdSeat
from lab.real import Programs, RealBackend, RealEtcd, find_programs
from tests.lab_kubernetes.lab_kubernetes_cluster import CONTROL_PLANE, PORT, Cluster
from tests.lab_kubernetes.real_apiserver import VARIABLE, explain_missing
from tests.lab_real.pair_admission import settings
from tests.lab_real.pair_life import SPEED, make_whole_pki

pytestmark = pytest.mark.tools

_NET = f"127.47.{os.getpid() % 250}"
_NODES = [
    replace(CONTROL_PLANE, name=f"cp-{number}", loopback=f"{_NET}.{number}", vip_loopback="")
    for number in (1, 2, 3)
]
_FIRST = _NODES[0].name
_MAPS = "/api/v1/namespaces/default/configmaps"


@dataclass(frozen=True, slots=True)
class Tale:
    """What was seen, in this order."""

    ready: str  # what `/readyz` says without a quorum
    created: tuple[int, str]  # code and body of a creation
    inside: str  # what the lab's own controllers are told
    recovered: Mapping[str, bool]  # which ConfigMaps there are after the recovery
    members: Sequence[str]  # that have them, once the others have joined anew


@pytest.fixture(scope="module")
def tale(tmp_path_factory: pytest.TempPathFactory) -> Tale:
    """Live through it once."""
    if reason := explain_missing():
        pytest.skip(reason)
    programs = find_programs(Path(os.environ[VARIABLE]))
    return asyncio.run(tell(programs, tmp_path_factory.mktemp("quorum")))


@asynccontextmanager
async def run_cluster(
    programs: Programs, folder: Path
) -> AsyncIterator[tuple[Cluster, RealEtcd, list[EtcdSeat]]]:
    """Run three members and an API server."""
    clock = LabClock(Ledger(), speed=SPEED)
    etcd = RealEtcd(programs, folder / "etcd")
    plane = Kubernetes(clock, backend=RealBackend(clock, programs, folder / "api", port=PORT))
    pki = make_whole_pki()
    seats = [
        EtcdSeat(node.name, node.loopback, pki.etcd_ca_crt, pki.etcd_ca_key) for node in _NODES
    ]
    try:
        await etcd.form(seats[0], None)
        await join_others(etcd, seats)
        await plane.create(pki)
        await plane.start_apiserver(_NODES[0])
        yield Cluster(plane, plane.client, clock.ledger, pki, folder), etcd, seats
    finally:
        await plane.close()
        await etcd.close()


async def join_others(etcd: RealEtcd, seats: Sequence[EtcdSeat]) -> None:
    """Let the other members join by the first."""
    for seat in seats[1:]:
        await etcd.promote(_FIRST, await etcd.join(seat, _FIRST))


async def tell(programs: Programs, folder: Path) -> Tale:
    """Save, lose two members for good, look, recover."""
    async with run_cluster(programs, folder) as (cluster, etcd, seats):
        plane, client = cluster.plane, cluster.client
        await client.create(settings("before"))
        saved = await etcd.take_snapshot(_FIRST)
        await client.create(settings("after"))
        for seat in seats[1:]:
            await etcd.wipe(seat.name)
        await plane.set_etcd(_FIRST, answers=False)
        ready, created, inside = await look(cluster)
        await plane.stop_apiserver(_FIRST)
        await etcd.form(seats[0], saved)
        await plane.restore(cluster.pki, ())
        await plane.start_apiserver(_NODES[0])
        recovered = {
            name: await client.find("v1", "ConfigMap", name, "default") is not None
            for name in ("before", "after")
        }
        await join_others(etcd, seats)
        states = [await etcd.describe(seat.name) for seat in seats]
        leaders = {state.leader for state in states}
        return Tale(ready, created, inside, recovered, [f"leader {one}" for one in leaders])


async def look(cluster: Cluster) -> tuple[str, tuple[int, str], str]:
    """Ask the API server from outside and inside."""
    url, context = f"https://{_NODES[0].loopback}:{PORT}", cluster.client_context()
    async with httpx2.AsyncClient(base_url=url, verify=context, timeout=60) as http:
        ready, created = await asyncio.gather(
            http.get("/readyz"), http.post(_MAPS, json=settings("never"))
        )
    inside = ""
    try:
        await cluster.client.create(settings("never"))
    except UnavailableError as error:
        inside = error.message
    return ready.text, (created.status_code, created.text), inside


def test_api_server_says_that_etcd_fails(tale: Tale) -> None:
    """It goes on listening, and its readiness names etcd."""
    assert "[-]etcd failed: reason withheld" in tale.ready


def test_nothing_can_be_written(tale: Tale) -> None:
    """Clients hear etcd's own words; the lab's controllers wait as for a server that is away."""
    code, text = tale.created

    assert 500 == code
    assert '"message":"etcdserver: request timed out"' in text
    assert "no API server is listening" in tale.inside


def test_snapshot_brings_the_cluster_back(tale: Tale) -> None:
    """What was written after the snapshot is gone; the others join the one that recovered."""
    assert {"before": True, "after": False} == tale.recovered
    assert 1 == len(tale.members)

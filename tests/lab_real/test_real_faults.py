"""Faults of the API and of lines, with a real kube-apiserver and etcd behind the lab."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from lab.clock import LabClock
from lab.kubernetes import Kubernetes
from lab.kubernetes.ailing import ApiFault
from lab.kubernetes.controllers.world import find_condition
from lab.kubernetes.values import Object, text
from lab.ledger import Ledger
from lab.network import LineFault, Lines
from lab.ports import EtcdSeat
from lab.real import Programs, RealBackend, RealEtcd, find_programs
from tests.lab_kubernetes.lab_kubernetes_cluster import PORT, Cluster
from tests.lab_kubernetes.real_apiserver import VARIABLE, explain_missing
from tests.lab_real.pair_admission import settings
from tests.lab_real.pair_life import NODE, SPEED, make_whole_pki

pytestmark = pytest.mark.tools

_PODS = "/api/v1/namespaces/default/pods"
_MAPS = "/api/v1/namespaces/default/configmaps"


@dataclass(frozen=True, slots=True)
class Tale:
    """What was seen, in this order."""

    throttled: tuple[int, str]
    forbidden: tuple[int, str]  # to somebody without rights, while answers are slow
    watched: str  # the last line of a watch
    frozen: str  # what `/readyz` says while etcd stands still
    thawed: int  # code of a creation afterwards
    stale: str  # the group in the discovery of an API server that cannot ask for it
    space: Object  # a namespace that is deleted meanwhile
    struck: dict[ApiFault, set[str]]
    lined: dict[LineFault, str]  # how a connection fails
    restarted: tuple[int, int]  # code of a creation after a restart, and how many processes ran


@pytest.fixture(scope="module")
def tale(tmp_path_factory: pytest.TempPathFactory) -> Tale:
    """Live through it once."""
    if reason := explain_missing():
        pytest.skip(reason)
    programs = find_programs(Path(os.environ[VARIABLE]))
    return asyncio.run(tell(programs, tmp_path_factory.mktemp("faults")))


async def tell(programs: Programs, folder: Path) -> Tale:
    """Run a cluster, and let it suffer."""
    clock = LabClock(Ledger(), speed=SPEED)
    lines, etcd = Lines(clock), RealEtcd(programs, folder / "etcd")
    backend = RealBackend(clock, programs, folder / "api", port=PORT, lines=lines, etcd=etcd)
    plane, pki = Kubernetes(clock, backend=backend), make_whole_pki()
    cluster = Cluster(plane, plane.client, clock.ledger, pki, folder)
    seat = EtcdSeat(NODE.name, NODE.loopback, pki.etcd_ca_crt, pki.etcd_ca_key)
    try:
        async with asyncio.timeout(120):
            await etcd.form(seat, None)
            await plane.create(pki)
            await plane.start_apiserver(NODE)
            return await suffer(cluster, lines)
    finally:
        await plane.close()
        await etcd.close()
        lines.close()


def ask(cluster: Cluster, *user: str) -> httpx2.AsyncClient:
    """Make a client with a certificate, at the VIP."""
    url = f"https://{NODE.vip_loopback}:{PORT}"
    return httpx2.AsyncClient(base_url=url, verify=cluster.client_context(*user), timeout=30)


async def suffer(cluster: Cluster, lines: Lines) -> Tale:
    """Switch faults on and off again, one after the other."""
    switch = cluster.plane.set_fault
    async with ask(cluster) as web:
        switch("", ApiFault.THROTTLED)
        throttled = await web.get(_PODS)
        switch("", ApiFault.THROTTLED, on=False)
        switch("", ApiFault.WATCH_GONE)
        async with web.stream("GET", _PODS, params={"watch": "1"}) as answer:
            watched = [line async for line in answer.aiter_lines()]
        switch("", ApiFault.WATCH_GONE, on=False)
    struck = await strike(cluster)
    switch("", ApiFault.SLOW)
    async with ask(cluster, "somebody", "visitors") as web:
        forbidden = await web.get(_PODS)
    switch("", ApiFault.SLOW, on=False)
    async with ask(cluster) as web:
        switch("", ApiFault.ETCD_TIMEOUT)
        frozen = await web.get("/readyz")
        switch("", ApiFault.ETCD_TIMEOUT, on=False)
        thawed = await web.post(_MAPS, json=settings("thawed"))
        switch("", ApiFault.AGGREGATED_DOWN)
        stale = await ask_until(web, "/apis", lambda text: "metrics.k8s.io" in text)
        space = await delete_space(cluster)
        switch("", ApiFault.AGGREGATED_DOWN, on=False)
        await ask_until(web, "/apis", lambda text: "metrics.k8s.io" not in text)
        await cluster.see("v1", "Namespace", "brief").until_gone()
    lined = {}
    for fault in (LineFault.PARTITIONED, LineFault.CUT, LineFault.SLOWED):
        lines[NODE.loopback].set_fault(fault)
        async with ask(cluster) as web:
            lined[fault] = await look(web)
        lines[NODE.loopback].set_fault(fault, on=False)
    return Tale(
        throttled=(throttled.status_code, throttled.text),
        forbidden=(forbidden.status_code, forbidden.text),
        watched=watched[-1],
        frozen=frozen.text,
        thawed=thawed.status_code,
        stale=stale,
        space=space,
        struck=struck,
        lined=lined,
        restarted=await restart(cluster),
    )


async def strike(cluster: Cluster) -> dict[ApiFault, set[str]]:
    """Switch on what breaks answers, and note what twenty requests come to, or a watch."""
    struck = {}
    for fault in (ApiFault.CACHE_COLD, ApiFault.RESET, ApiFault.HANGING):
        cluster.plane.set_fault("", fault)
        asked = 1 if fault is ApiFault.HANGING else 20
        async with ask(cluster) as web:
            struck[fault] = {await look(web) for _ in range(asked)}
        cluster.plane.set_fault("", fault, on=False)
    cluster.plane.set_fault("", ApiFault.WATCH_CUT)
    async with ask(cluster) as web:
        struck[ApiFault.WATCH_CUT] = {await look(web, watch="1")}
    cluster.plane.set_fault("", ApiFault.WATCH_CUT, on=False)
    return struck


async def look(web: httpx2.AsyncClient, **query: str) -> str:
    """List pods, or watch them to the end; the code of the answer, or how it broke."""
    try:
        return str((await web.get(_PODS, params=query, timeout=2.0)).status_code)
    except httpx2.TransportError as error:
        return type(error).__name__


async def ask_until(web: httpx2.AsyncClient, path: str, wanted: Callable[[str], bool]) -> str:
    """Ask until the answer is as wanted."""
    while True:
        answer = (await web.get(path)).text
        if wanted(answer):
            return answer
        await asyncio.sleep(0.1)


async def delete_space(cluster: Cluster) -> Object:
    """Delete a namespace, and wait for what it says."""
    space: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "brief"}}
    await cluster.client.create(space)
    await cluster.client.delete("v1", "Namespace", "brief")
    kind = "NamespaceDeletionDiscoveryFailure"
    seen = cluster.see("v1", "Namespace", "brief")
    return find_condition(await seen.until(lambda obj: bool(find_condition(obj, kind))), kind)


async def restart(cluster: Cluster) -> tuple[int, int]:
    """Have the process end and start once."""
    log = cluster.folder / "api" / NODE.name / "kube-apiserver.log"
    cluster.plane.set_fault("", ApiFault.RESTARTING)
    await asyncio.sleep(0.5)
    cluster.plane.set_fault("", ApiFault.RESTARTING, on=False)
    async with ask(cluster) as web:
        while True:
            try:
                answer = await web.post(_MAPS, json=settings("restarted"))
                if answer.status_code == httpx2.codes.CREATED:
                    starts = log.read_text().count("Serving securely")
                    return answer.status_code, starts
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.1)


def test_answers_are_made_in_front_of_the_real_server(tale: Tale) -> None:
    """Refusals and watches that end are as the lab's own API server has them."""
    assert (429, "Too many requests, please try again later.\n") == tale.throttled
    assert '"reason": "Expired", "code": 410' in tale.watched


def test_clients_are_who_they_are_behind_it(tale: Tale) -> None:
    """The real server hears whose certificate it was, and decides by that."""
    code, said = tale.forbidden

    assert 403 == code
    assert 'User \\"somebody\\" cannot list resource \\"pods\\"' in said


def test_etcd_stands_still_and_goes_on(tale: Tale) -> None:
    """The real server's own words, and no data lost."""
    assert "[-]etcd failed: reason withheld" in tale.frozen
    assert 201 == tale.thawed


def test_discovery_is_incomplete(tale: Tale) -> None:
    """A service that is not there is registered, and taken away at the end."""
    assert "metrics.k8s.io/v1beta1" in tale.stale
    assert "DiscoveryFailed" == text(tale.space, "reason")


def test_connections_break_in_front_of_the_real_server(tale: Tale) -> None:
    """Lists are refused, requests and watches reset, or nothing is said."""
    assert {
        ApiFault.CACHE_COLD: {"429"},
        ApiFault.RESET: {"200", "ReadError"},
        ApiFault.HANGING: {"ReadTimeout"},
        ApiFault.WATCH_CUT: {"ReadError"},
    } == tale.struck


def test_lines_strike_the_real_server(tale: Tale) -> None:
    """At the VIP, too, which is as good as the line of its holder."""
    assert {
        LineFault.PARTITIONED: "ConnectTimeout",
        LineFault.CUT: "ConnectError",
        LineFault.SLOWED: "200",
    } == tale.lined


def test_process_is_another_one_after_a_restart(tale: Tale) -> None:
    """It is ended and started, and has its data."""
    assert (201, 2) == tale.restarted

"""What follows when one API server of several is ill: its node is missed, its leaders leave."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import httpx2
import pytest

from lab.clock import LabClock
from lab.kubernetes.ailing import ApiFault, ApiFaults, Health
from lab.kubernetes.controllers.nodes import find_stay
from lab.kubernetes.unheard import Unheard
from lab.kubernetes.values import Object, at, dig, is_going, name_of, text
from lab.ledger import Ledger
from lab.ports import NodeFacts, NodeKeeperError
from tests.lab_kubernetes.lab_kubernetes_cluster import (
    CONTROL_PLANE,
    PORT,
    Cluster,
    condition,
    deployment,
)

SECOND = replace(
    CONTROL_PLANE, name="cp-2", address="10.42.0.12", loopback="127.42.0.12", taints=()
)
UNREACHABLE = "node.kubernetes.io/unreachable"


async def add_second(cluster: Cluster) -> None:
    """Add a control plane that takes pods, and wait until it is Ready."""
    await cluster.plane.start_apiserver(SECOND)
    await cluster.plane.start_kubelet(SECOND)
    await until_ready(cluster, "True")


async def until_ready(cluster: Cluster, value: str) -> Object:
    """Wait for what is said of the second control plane's node."""
    seen = cluster.see("v1", "Node", SECOND.name)
    return await seen.until(lambda obj: condition(obj, "Ready") == value)


async def pass_time(cluster: Cluster, seconds: float) -> None:
    """Let simulated time pass."""
    await cluster.plane._clock.pause(seconds)


async def until_leading(cluster: Cluster, *, is_leading: bool) -> None:
    """Wait until a kube-controller-manager leads, or none; nobody announces it."""
    async with asyncio.timeout(20):
        while cluster.plane._world.inside.manager.holds != is_leading:
            await pass_time(cluster, 1)


async def run_there(cluster: Cluster) -> Object:
    """Run a Deployment's pod on the second control plane, and let later ones go anywhere."""
    web = deployment("web")
    spec = at(web, "spec", "template", "spec")
    spec["nodeSelector"] = {"kubernetes.io/hostname": SECOND.name}
    await cluster.client.apply(web, manager="m")
    async for event in cluster.client.watch("v1", "Pod", "default", labels="app=web"):
        if condition(event.object, "Ready") == "True":
            return event.object
    raise AssertionError("no pod")


@pytest.mark.parametrize("fault", [ApiFault.HANGING, ApiFault.ETCD_TIMEOUT])
async def test_the_node_of_an_ill_server_is_missed(ready: Cluster, fault: ApiFault) -> None:
    """After the grace, with its pods on their way out later; all goes on when it is well."""
    await add_second(ready)
    pod = await run_there(ready)
    ready.plane.set_fault(SECOND.name, fault)
    missed = await until_ready(ready, "Unknown")
    leaving = await ready.see("v1", "Pod", name_of(pod), "default").until(is_going)
    others = await ready.client.list("v1", "Pod", "default", labels="app=web")
    ready.plane.set_fault(SECOND.name, fault, on=False)
    back = await until_ready(ready, "True")
    await ready.see("v1", "Pod", name_of(pod), "default").until_gone()

    taints = [(text(item, "key"), text(item, "effect")) for item in _taints(missed)]
    assert [(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")] == taints
    assert text(leaving, "spec", "nodeName") == SECOND.name
    assert {name_of(pod)} < {name_of(item) for item in others}
    assert UNREACHABLE not in str(_taints(back))


async def test_no_node_is_missed_when_every_server_is_ill(ready: Cluster) -> None:
    """Who would miss it cannot write either, and counts anew."""
    await add_second(ready)
    ready.plane.set_fault("", ApiFault.HANGING)
    await pass_time(ready, 120)
    ready.plane.set_fault("", ApiFault.HANGING, on=False)
    await pass_time(ready, 5)

    assert ready.plane.is_node_ready(SECOND.name)
    assert ready.plane.is_node_ready(CONTROL_PLANE.name)


async def test_a_leader_leaves_its_ill_server(ready: Cluster) -> None:
    """kube-controller-manager asks its own machine's API server; another one leads then."""
    await add_second(ready)
    manager = ready.plane._world.inside.manager
    ready.plane.set_fault(CONTROL_PLANE.name, ApiFault.HANGING)
    await until_leading(ready, is_leading=False)
    await until_leading(ready, is_leading=True)
    await ready.client.apply(deployment("late"), manager="m")
    await ready.see("apps/v1", "Deployment", "late", "default").until(
        lambda obj: dig(obj, "status", "replicas") == 1
    )

    assert 1 == manager.ended


async def test_talos_asks_the_server_of_its_own_machine(ready: Cluster) -> None:
    """So a control plane with an ill one cannot cordon its node; nobody can when all are ill."""
    await add_second(ready)
    keeper, late = ready.plane.keeper, "context deadline exceeded"
    ready.plane.set_fault(SECOND.name, ApiFault.HANGING)
    with pytest.raises(NodeKeeperError, match=late):
        await keeper.cordon(SECOND.name)
    await keeper.cordon("worker-1")
    ready.plane.set_fault("", ApiFault.HANGING)
    with pytest.raises(NodeKeeperError, match=late):
        await keeper.list_evictable("worker-1")
    for name in ("", SECOND.name):
        ready.plane.set_fault(name, ApiFault.HANGING, on=False)

    assert (True, False) == (keeper.is_cordoned("worker-1"), keeper.is_cordoned(SECOND.name))
    assert await keeper.uncordon("worker-1")


async def test_an_ill_server_answers_nothing(ready: Cluster) -> None:
    """Not even whether it is ready; the other one does, and so does it afterwards."""
    await add_second(ready)
    ready.plane.set_fault(SECOND.name, ApiFault.HANGING)
    context = ready.client_context()
    urls = [f"https://{node.loopback}:{PORT}/readyz" for node in (SECOND, CONTROL_PLANE)]
    async with httpx2.AsyncClient(verify=context) as client:
        with pytest.raises(httpx2.ReadTimeout):
            await client.get(urls[0], timeout=httpx2.Timeout(5.0, read=0.3))
        other = await client.get(urls[1])
        ready.plane.set_fault(SECOND.name, ApiFault.HANGING, on=False)
        again = await client.get(urls[0])

    assert (200, 200) == (other.status_code, again.status_code)


async def test_a_node_is_missed_after_the_grace_and_not_before() -> None:
    """Counted from when its server fell ill, each time anew."""
    faults = ApiFaults(LabClock(Ledger()))
    for name in ("cp-1", "cp-2"):
        faults.add(name, Health(faults.clock), _do_nothing, _do_nothing)
    told: list[str] = []

    def lose(name: str) -> NodeFacts:
        told.append(f"lose {name}")
        return SECOND

    unheard = Unheard(faults.clock, faults, lose, lambda facts: told.append(f"hear {facts.name}"))
    for now_s, is_on in ((0, True), (49, True), (49.5, False), (60, True), (109, True)):
        faults.switch(ApiFault.HANGING, "cp-2", on=is_on)
        unheard.look(now_s)
    before = [*told]
    unheard.look(110)
    faults.switch(ApiFault.HANGING, "cp-2", on=False)
    unheard.look(111)
    await unheard.close()

    assert [] == before
    assert ["lose cp-2", "hear cp-2"] == told


async def _do_nothing() -> None:
    """A server that needs not go."""


@pytest.mark.parametrize(
    ("extra", "stay"),
    [
        ({}, 300),
        ({"tolerations": [{"key": UNREACHABLE, "tolerationSeconds": 7}]}, 7),
        ({"tolerations": [{"key": UNREACHABLE, "effect": "NoSchedule"}]}, 300),
        ({"tolerations": [{"operator": "Exists"}]}, None),
    ],
)
def test_pods_say_how_long_they_stay(extra: Object, stay: int | None) -> None:
    """By their tolerations; else five minutes."""
    assert stay == find_stay({"spec": extra})


def _taints(node: Object) -> list[Object]:
    found = dig(node, "spec", "taints")
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []

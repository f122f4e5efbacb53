"""Requests for kubelets' serving certificates that go wrong."""

from __future__ import annotations

import asyncio

import pytest

from inventory import Node, Role
from lab.kubernetes.faults import PodFault
from lab.kubernetes.values import Object, text
from lifecycle.drivers.kubernetes import KubernetesObject
from lifecycle.world.serving_requests import judge_request
from tests.lab_kubernetes.lab_kubernetes_cluster import WORKER, Cluster

CSR = ("certificates.k8s.io/v1", "CertificateSigningRequest")
DECLARED = Node(WORKER.name, WORKER.address, (WORKER.address,), "", Role.WORKER, "", {})


async def see_requests(cluster: Cluster) -> list[str]:
    """Say of each request of the worker why it must not be granted."""
    return [
        judge_request(KubernetesObject(request), DECLARED)
        for request in await cluster.client.list(*CSR)
        if text(request, "spec", "username") == f"system:node:{WORKER.name}"
    ]


async def wait_for_request(cluster: Cluster) -> Object:
    """Wait until the worker asks."""
    async for event in cluster.client.watch(*CSR):
        if text(event.object, "spec", "username") == f"system:node:{WORKER.name}":
            return event.object
    raise AssertionError(WORKER.name)


async def start_worker(cluster: Cluster) -> None:
    """Let the worker's kubelet register."""
    await cluster.plane.start_kubelet(WORKER)
    await cluster.see("v1", "Node", WORKER.name).until(lambda obj: bool(obj.get("status")))


async def test_foreign_name_is_asked_for_and_not_to_be_granted(empty: Cluster) -> None:
    """The request is the node's own in everything but one name, which is told."""
    empty.plane.set_fault(WORKER.name, PodFault.REQUEST_FOREIGN)
    await start_worker(empty)
    await wait_for_request(empty)

    why = "the name is not the node's: `kubernetes.default.svc`"
    assert {why} == set(await see_requests(empty))


@pytest.mark.parametrize("fault", [PodFault.REQUEST_FOREIGN, PodFault.REQUEST_ABSENT])
async def test_kubelet_asks_rightly_once_it_can(empty: Cluster, fault: PodFault) -> None:
    """A kubelet without a certificate asks again by itself, as soon as nothing is wrong."""
    empty.plane.set_fault(WORKER.name, fault)
    await start_worker(empty)
    before = await see_requests(empty)
    empty.plane.set_fault(WORKER.name, fault, on=False)
    async with asyncio.timeout(20):
        while "" not in await see_requests(empty):  # noqa: ASYNC110  it is the API that is asked
            await asyncio.sleep(0.02)

    assert "" not in before

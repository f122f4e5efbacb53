"""A cluster of the lab's Kubernetes, driven as machines drive it, a thousand times faster."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest

from lab.clock import LabClock
from lab.kubernetes import Kubernetes
from lab.kubernetes.values import dig
from lab.ledger import Ledger
from tests.lab_kubernetes.contract_server import Server, connect
from tests.lab_kubernetes.lab_kubernetes_cluster import (
    CONTROL_PLANE,
    PORT,
    SPEED,
    WORKER,
    Cluster,
    cni,
    condition,
    make_pki,
)
from tests.lab_kubernetes.real_apiserver import RealServer, explain_missing, run_real_server


@pytest.fixture
async def empty(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Cluster]:
    """A created cluster whose API server listens, without nodes."""
    ledger = Ledger()
    plane = Kubernetes(LabClock(ledger, speed=SPEED), port=PORT)
    pki = make_pki()
    await plane.create(pki)
    await plane.start_apiserver(CONTROL_PLANE)
    yield Cluster(plane, plane.client, ledger, pki, tmp_path)
    await plane.close()
    broken = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [] == broken


@pytest.fixture
def forgetful(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A created cluster that remembers its last three changes only; asked for before others."""
    monkeypatch.setattr("lab.kubernetes.store.REMEMBERED_CHANGES", 3)
    found: Cluster = request.getfixturevalue("empty")
    return found


@pytest.fixture
async def cluster(empty: Cluster) -> Cluster:
    """A cluster of one control plane and one worker, NotReady for want of a CNI."""
    for facts in (CONTROL_PLANE, WORKER):
        await empty.plane.start_kubelet(facts)
        node = empty.see("v1", "Node", facts.name)
        await node.until(lambda obj: bool(dig(obj, "status", "conditions")))
    return empty


@pytest.fixture
async def web(empty: Cluster) -> AsyncIterator[httpx2.AsyncClient]:
    """An HTTP client with an administrator's certificate."""
    context = empty.client_context()
    async with httpx2.AsyncClient(base_url=empty.url, verify=context) as client:
        yield client


@pytest.fixture
async def ready(cluster: Cluster) -> Cluster:
    """A cluster whose nodes are Ready."""
    await cluster.client.apply(cni(), manager="test")
    for name in ("cp-1", "worker-1"):
        node = cluster.see("v1", "Node", name)
        await node.until(lambda obj: condition(obj, "Ready") == "True")
    return cluster


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """A real API server for all tests."""
    if reason := explain_missing():
        pytest.skip(reason)
    with run_real_server(tmp_path_factory.mktemp("real"), make_pki()) as server:
        yield server


@pytest.fixture
async def lab_server(empty: Cluster) -> AsyncIterator[Server]:
    """The lab's API server."""
    async with connect(empty.url, empty.client_context()) as found:
        yield found


@pytest.fixture
async def real_server(real: RealServer) -> AsyncIterator[Server]:
    """The real API server."""
    async with connect(real.url, real.context) as found:
        yield found


@pytest.fixture(params=["lab_server", pytest.param("real_server", marks=pytest.mark.tools)])
def server(request: pytest.FixtureRequest) -> Server:
    """Each server in turn."""
    found: Server = request.getfixturevalue(request.param)
    return found

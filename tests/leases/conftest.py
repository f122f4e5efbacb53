"""Fixtures of the Lease tests: a lab's API server, and contenders for the Lease."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest

from lab.clock import LabClock
from lab.kubernetes import Kubernetes
from lab.ledger import Ledger
from lifecycle.world.cluster_access import ClusterAccess
from lifecycle.world.holder import Holder
from tests.lab_kubernetes.lab_kubernetes_cluster import CONTROL_PLANE, make_pki
from tests.leases.leases_cluster import Contender, write_kubeconfig

PORT = 16444


class Contend(Protocol):
    """Makes runs that want the Lease."""

    def __call__(self, host: str, pid: int = 100, *, space: str = "") -> Contender:
        """Make the run of a process on a host."""
        ...


@pytest.fixture
async def access(tmp_path: Path) -> AsyncIterator[ClusterAccess]:
    """The API of a cluster without nodes."""
    plane = Kubernetes(LabClock(Ledger(), speed=1000.0), port=PORT)
    pki = make_pki()
    await plane.create(pki)
    await plane.start_apiserver(CONTROL_PLANE)
    access = write_kubeconfig(pki, f"https://{CONTROL_PLANE.loopback}:{PORT}", tmp_path)
    yield access
    await access.close()
    await plane.close()


@pytest.fixture
def contend(access: ClusterAccess) -> Contend:
    """A maker of contenders on the one cluster."""

    def make(host: str, pid: int = 100, *, space: str = "") -> Contender:
        return Contender(access, Holder("ops", host, pid, f"run-of-{host}"), space=space)

    return make

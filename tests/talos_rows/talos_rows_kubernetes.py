"""A cluster whose Kubernetes is the lab's own, with a web server on its worker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from lab.clock import LabClock
from lab.kubernetes import Kubernetes
from lab.kubernetes.controllers.children import is_ready
from lab.kubernetes.values import Object, dig, name_of, text
from lab.ledger import Ledger
from lab.machines import Machines
from tests.lab_kubernetes.lab_kubernetes_cluster import cni, deployment
from tests.lab_machines.lab_machines_world import SPEED, Cluster, FakePlane, World, make_specs
from tests.talos_rows.talos_rows_tool import TRACKED_SPEED

__all__ = ["guard_web", "is_cordoned", "kubernetes", "list_web", "node_of"]


@pytest.fixture
async def kubernetes() -> AsyncIterator[tuple[World, Kubernetes]]:
    """A control plane and a worker with the lab's Kubernetes, Ready, and a web server on them."""
    clock = LabClock(Ledger(), speed=SPEED)
    plane = Kubernetes(clock)
    machines = Machines(clock, plane, make_specs(["cp1", "w1"]))
    world = World(machines, FakePlane(), Cluster(), clock)
    await machines.start()
    await world.configure("cp1", "w1")
    machines["cp1"].boot.bootstrap_asked = True
    machines["cp1"].changed.ring()
    await world.until(lambda: machines["w1"].boot.node_told is not None)
    await plane.client.apply(cni(), manager="test")
    await world.until(lambda: plane.is_node_ready("cp1") and plane.is_node_ready("w1"))
    await plane.client.apply(deployment("web"), manager="test")
    # A budget does not hold a pod that is not up yet.
    await _wait(plane, lambda pods: [node_of(pod) for pod in pods if is_ready(pod)] == ["w1"])
    clock.change_speed(TRACKED_SPEED)
    yield world, plane
    for channel in world.channels:
        channel.close()
    await machines.stop()
    await plane.close()


async def list_web(plane: Kubernetes) -> list[Object]:
    """List the pods of the web server."""
    pods = await plane.client.list("v1", "Pod", "default")
    return [pod for pod in pods if name_of(pod).startswith("web")]


async def _wait(plane: Kubernetes, holds: Callable[[list[Object]], bool]) -> None:
    async for _ in plane.client.watch("v1", "Pod", "default"):
        if holds(await list_web(plane)):
            return


def node_of(pod: Object) -> str:
    """Name the node that a pod is bound to."""
    return text(pod, "spec", "nodeName")


async def is_cordoned(plane: Kubernetes, name: str) -> bool:
    """Tell whether a node takes no pods."""
    return dig(await plane.client.get("v1", "Node", name), "spec", "unschedulable") is True


async def guard_web(plane: Kubernetes) -> None:
    """Give the web server a budget that lets none of its pods go."""
    budget: Object = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
    }
    await plane.client.create(budget)

"""The queue of a controller: what an object waits for before a worker takes it."""

from __future__ import annotations

import asyncio

import pytest

from lab.clock import LabClock
from lab.flux.queue import Controller
from lab.kubernetes.api import Api
from lab.kubernetes.client import KubernetesClient
from lab.kubernetes.values import Object, name_of
from lab.ledger import Ledger, Wait

_NAMESPACE = ("v1", "Namespace")


async def reconcile_two(workers: int) -> dict[str, Wait]:
    """Let a controller wait a while for each of two objects; returns the waits by object."""
    ledger = Ledger()
    clock = LabClock(ledger, speed=1000.0)
    api = Api(lambda: "2026-01-01T00:00:00Z")
    api.is_available = True
    client = KubernetesClient(api)
    for name in ("a", "b"):
        space: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await client.apply(space, manager="test", force=True)
    left, all_done = {"a", "b"}, asyncio.Event()

    async def reconcile(obj: Object, newer: asyncio.Event) -> None:
        del newer
        await clock.wait(50.0, name_of(obj))
        left.discard(name_of(obj))
        if not left:
            all_done.set()

    controller = Controller(clock, client, _NAMESPACE, reconcile, workers=workers)
    running = asyncio.create_task(controller.run())
    try:
        async with asyncio.timeout(20):
            await all_done.wait()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return {wait.what: wait for wait in ledger.waits}


@pytest.mark.parametrize(("workers", "is_held"), [(1, True), (2, False)])
async def test_what_waits_for_a_worker_follows_from_what_held_it(
    *, workers: int, is_held: bool
) -> None:
    """Few workers are part of the simulated world; a free one makes nothing wait."""
    waits = await reconcile_two(workers)

    assert (waits["a"].number if is_held else 0) == waits["b"].cause

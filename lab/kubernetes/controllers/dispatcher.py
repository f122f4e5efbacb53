"""Brings changes to controllers, one place at a time, letting others run in between."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence

from lab.kubernetes.controllers.world import Controller, World
from lab.kubernetes.errors import ApiError
from lab.kubernetes.store import Change, Place
from lab.ledger import CAUSE

__all__ = ["Dispatcher"]

_log = logging.getLogger(__name__)

# Wall seconds of reconciling after which other coroutines get their turn: this process also
# serves gRPC and HTTP.
_TURN_S = 0.01
# Simulated seconds until what was refused is tried again; a real controller's first waits are
# shorter, and grow. Estimate.
_AGAIN_S = 5.0


class Dispatcher:
    """Runs the controllers of one cluster, from `start` to `close`."""

    def __init__(self, world: World, controllers: Sequence[Controller]) -> None:
        self._world = world
        self._controllers = controllers
        self._by_resource: dict[str, list[Controller]] = {}
        for controller in controllers:
            for resource in controller.resources:
                self._by_resource.setdefault(resource, []).append(controller)
        self._queue: deque[tuple[Controller, Place, int]] = deque()
        self._queued: set[tuple[int, Place]] = set()
        self._wake = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._stop = world.store.listen(self._see)
        world.queue = self.queue

    def start(self) -> None:
        """Begin to reconcile, with everything that is in the store."""
        for resource in self._world.store.resources():
            for obj in self._world.store.all(resource):
                self._see(Change(0, "ADDED", resource, obj, None))
        self._runner = asyncio.create_task(self._run(), name="lab kubernetes: controllers")

    async def close(self) -> None:
        """Reconcile no more."""
        self._stop()
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)

    def queue(self, controller: Controller, place: Place) -> None:
        """Have one controller look at one place soon."""
        key = (id(controller), place)
        if key not in self._queued:
            self._queued.add(key)
            self._queue.append((controller, place, CAUSE.get()))
            self._wake.set()

    def touch(self, resource: str, name: str, namespace: str = "") -> None:
        """Have everyone who cares look at an object again, though it did not change."""
        obj = self._world.store.get(resource, namespace, name)
        if obj is not None:
            self._see(Change(0, "MODIFIED", resource, obj, obj))

    def _see(self, change: Change) -> None:
        for name in (change.resource, "*"):
            for controller in self._by_resource.get(name, ()):
                for place in controller.places(change):
                    self.queue(controller, place)

    async def _run(self) -> None:
        while True:
            begun = time.monotonic()
            while self._queue and time.monotonic() - begun < _TURN_S:
                controller, place, cause = self._queue.popleft()
                CAUSE.set(cause)
                self._queued.discard((id(controller), place))
                self._reconcile(controller, place)
            if self._queue:
                await asyncio.sleep(0)
                continue
            self._wake.clear()
            await self._wake.wait()

    def _reconcile(self, controller: Controller, place: Place) -> None:
        try:
            controller.reconcile(place)
        except ApiError as error:
            # Refused as any client may be: controllers try again, too.
            _log.debug("%s: %s", place, error)
            key = f"again/{id(controller)}/{place}"
            self._world.expire(key, _AGAIN_S, lambda: self.queue(controller, place))
        except Exception:  # noqa: BLE001  see below
            # One broken controller must not stop the cluster; tests turn this into a failure.
            _log.exception("%s failed on %s", type(controller).__name__, place)

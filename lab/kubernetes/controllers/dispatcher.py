"""Brings changes to controllers, one place at a time, letting others run in between."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence

from lab.kubernetes.controllers.world import Controller, World
from lab.kubernetes.errors import ApiError, UnavailableError
from lab.kubernetes.inside import Insider
from lab.kubernetes.store import Change, Place
from lab.ledger import CAUSE
from lab.vital import begin_vital, end_tasks

__all__ = ["Dispatcher"]

_log = logging.getLogger(__name__)

# Wall seconds of reconciling after which other coroutines get their turn: this process also
# serves gRPC and HTTP.
_TURN_S = 0.01
# Simulated seconds until what was refused is tried again; a real controller's first waits are
# shorter, and grow. Estimate.
_AGAIN_S = 5.0
# While the API fails: client-go's rate limiter of a queue doubles 5 ms up to 1000 s; its waits
# below a second are one here (util/workqueue/default_rate_limiters.go).
_FIRST_AGAIN_S, _LONGEST_AGAIN_S = 1.0, 1000.0
_Item = tuple[int, Place]


class Dispatcher:
    """Runs the controllers of one cluster, from `start` to `close`."""

    def __init__(
        self,
        world: World,
        controllers: Sequence[Controller],
        run_by: Callable[[Controller], Insider] = lambda _: Insider.MANAGER,
    ) -> None:
        self._world = world
        self._run_by = {id(controller): run_by(controller) for controller in controllers}
        self._unseen: list[Change] = []  # while informers see nothing
        self._held: list[tuple[Controller, Place]] = []  # while nobody leads
        self._failures: dict[_Item, int] = {}
        self._by_resource: dict[str, list[Controller]] = {}
        for controller in controllers:
            for resource in controller.resources:
                self._by_resource.setdefault(resource, []).append(controller)
        self._queue: deque[tuple[Controller, Place, int]] = deque()
        self._queued: set[_Item] = set()
        self._wake = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._stop = world.store.listen(self._see)
        world.queue = self.queue
        self._forget = world.inside.listen(self._settle)

    def start(self) -> None:
        """Begin to reconcile, with everything that is in the store."""
        for resource in self._world.store.resources():
            for obj in self._world.store.all(resource):
                self._see(Change(0, "ADDED", resource, obj, None))
        self._runner = begin_vital(self._run(), "controllers of Kubernetes")

    async def close(self) -> None:
        """Reconcile no more."""
        self._forget()
        self._stop()
        await end_tasks(self._runner)

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
        sees = self._world.inside.sees
        if not sees:
            self._unseen.append(change)
        for name in (change.resource, "*"):
            for controller in self._by_resource.get(name, ()):
                # The API server's own controllers need no watch.
                if sees or self._run_by[id(controller)] is Insider.SERVER:
                    self._show(controller, change)

    def _show(self, controller: Controller, change: Change) -> None:
        for place in controller.places(change):
            self.queue(controller, place)

    def _settle(self) -> None:
        """Go on with what waits for sight, or for somebody who leads."""
        inside = self._world.inside
        if inside.sees and self._unseen:
            unseen, self._unseen = self._unseen, []
            for change in unseen:
                for name in (change.resource, "*"):
                    for controller in self._by_resource.get(name, ()):
                        if self._run_by[id(controller)] is not Insider.SERVER:
                            self._show(controller, change)
        if inside.leads(Insider.MANAGER) and self._held:
            held, self._held = self._held, []
            for controller, place in held:
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
        inside, who = self._world.inside, self._run_by[id(controller)]
        if inside.is_well or who is Insider.SERVER:
            self._act(controller, place)
        elif not inside.leads(who):
            self._held.append((controller, place))
        elif inside.late_s:
            # What comes later comes as late as the answer that it waits for.
            key = f"late/{id(controller)}/{place}"
            self._world.expire(key, 0.0, lambda: self._act(controller, place))
        else:
            self._act(controller, place)

    def _act(self, controller: Controller, place: Place) -> None:
        item = (id(controller), place)
        try:
            with self._world.act_as(self._run_by[id(controller)]):
                controller.reconcile(place)
            if self._failures:
                self._failures.pop(item, None)
        except ApiError as error:
            # Refused as any client may be: controllers try again, too.
            _log.debug("%s: %s", place, error)
            after_s = self._back_off(item) if isinstance(error, UnavailableError) else _AGAIN_S
            key = f"again/{id(controller)}/{place}"
            self._world.expire(key, after_s, lambda: self.queue(controller, place))
        except Exception:  # noqa: BLE001  see below
            # One broken controller must not stop the cluster; tests turn this into a failure.
            _log.exception("%s failed on %s", type(controller).__name__, place)

    def _back_off(self, item: _Item) -> float:
        count = self._failures.get(item, 0)
        self._failures[item] = count + 1
        return min(_FIRST_AGAIN_S * 2.0**count, _LONGEST_AGAIN_S)

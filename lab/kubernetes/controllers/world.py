"""What every controller shares: the store, simulated time, and how objects are written."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

from lab.clock import LabClock
from lab.kubernetes.api import Api
from lab.kubernetes.errors import ApiError, UnavailableError
from lab.kubernetes.faults import Faults
from lab.kubernetes.inside import Inside, Insider
from lab.kubernetes.store import Change, Place, Store
from lab.kubernetes.values import (
    Json,
    Object,
    grow,
    maps,
    name_of,
    namespace_of,
    text,
    uid_of,
)
from lab.ports import KubernetesPki, NodeFacts
from lab.vital import begin_vital

__all__ = [
    "Controller",
    "Faults",
    "World",
    "digest_of",
    "find_condition",
    "is_true",
    "set_condition",
]

# Simulated seconds in which the same event again is not worth a write.
_SAME_EVENT_S = 60.0
# Simulated seconds between two attempts to write while no API server answers.
_API_AWAY_S = 5.0

_log = logging.getLogger(__name__)


class Controller(Protocol):
    """Keeps one concern as it should be."""

    @property
    def resources(self) -> frozenset[str]:
        """Whose changes it looks at; `*` is every resource."""
        ...

    def places(self, change: Change) -> Iterable[Place]:
        """What to look at again after a change."""
        ...

    def reconcile(self, place: Place) -> None:
        """Make one thing as it should be; must bear being called at any time."""
        ...


class World:
    """One cluster's controllers see everything through this."""

    def __init__(self, api: Api, clock: LabClock, inside: Inside | None = None) -> None:
        self.api = api
        self.clock = clock
        self.inside = inside or Inside(clock, None)
        self.acting = Insider.SERVER  # who writes just now
        api.check_components = lambda: self.inside.check(self.acting)
        self.pki: KubernetesPki | None = None
        self.nodes: dict[str, NodeFacts] = {}  # whose kubelet runs
        self.lost: set[str] = set()  # nodes that nothing is heard of
        self.networked: set[str] = set()  # nodes whose pod network works
        self.faults = Faults()
        self.queue: Callable[[Controller, Place], None] = lambda _controller, _place: None
        self._timers: dict[str, asyncio.Task[None]] = {}

    @property
    def store(self) -> Store:
        """The data; another one after the cluster was created anew."""
        return self.api.store

    @contextmanager
    def act_as(self, who: Insider) -> Iterator[None]:
        """Write as somebody, also in what is told to come later."""
        before, self.acting = self.acting, who
        try:
            yield
        finally:
            self.acting = before

    def later(self, key: str, seconds: float, what: str, then: Callable[[], None]) -> None:
        """Call `then` after simulated time, recorded as `what`; once per `key` at a time."""
        self._start(key, then, lambda: self.clock.wait(seconds, what))

    def expire(self, key: str, seconds: float, then: Callable[[], None]) -> None:
        """Call `then` after simulated time that nobody waits for (a deadline): not recorded."""
        self._start(key, then, lambda: self.clock.pause(seconds))

    def _start(
        self, key: str, then: Callable[[], None], wait: Callable[[], Coroutine[None, None, None]]
    ) -> None:
        if key in self._timers:
            return

        who = self.acting

        async def run() -> None:
            await wait()
            if late_s := self.inside.late_s:
                await self.clock.pause(late_s)
            while not self._do(key, then, who):
                await self.clock.pause(_API_AWAY_S)

        self._timers[key] = begin_vital(run(), f"controllers of Kubernetes: {key}")

    def _do(self, key: str, then: Callable[[], None], who: Insider) -> bool:
        """Call what was due; tell whether it could be done: no API server, and it is due still."""
        if not self.inside.leads(who):
            return False
        own = self._timers.pop(key, None)
        try:
            with self.act_as(who):
                then()
        except UnavailableError:
            # What it had told to come next comes after it, once it can be done.
            self.forget(key)
            if own is not None:
                self._timers[key] = own
            return False
        except ApiError as error:
            _log.debug("%s: %s", key, error)
        except Exception:  # noqa: BLE001  one broken controller must not stop the cluster
            _log.exception("timer failed: %s", key)
        return True

    def forget(self, key: str) -> None:
        """Call off what `later` was told for `key`."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    async def close(self) -> None:
        """Call off everything."""
        timers = list(self._timers.values())
        self._timers.clear()
        for timer in timers:
            timer.cancel()
        await asyncio.gather(*timers, return_exceptions=True)

    def find(self, place: Place) -> Object | None:
        """Find an object; do not change it."""
        return self.store.get(place.resource, place.namespace, place.name)

    def plant(self, obj: Object) -> Object | None:
        """Create an object as the cluster itself; None when it exists or has no namespace."""
        served = self.api.registry.find(text(obj, "apiVersion"), text(obj, "kind"))
        if served is None:
            return None
        resource, namespace = served.kind.resource, namespace_of(obj)
        if self.store.get(resource, namespace, name_of(obj)) is not None:
            return None
        if served.kind.namespaced:
            space = self.store.get("namespaces", "", namespace)
            if space is None or text(space, "status", "phase") == "Terminating":
                return None
        return self.api.components.plant(served.kind, obj)

    def edit(self, place: Place, change: Callable[[Object], None]) -> Object | None:
        """Change a copy of an object and store it if it differs; None when it is gone."""
        kind = self.api.registry.of_resource(place.resource)
        if kind is None:
            return self.find(place)
        return self.api.components.edit(kind, place, change)

    def set_status(self, place: Place, status: Object) -> None:
        """Put these fields into an object's status."""
        self.edit(place, lambda obj: grow(obj, "status").update(status))

    def delete(self, place: Place, *, grace_s: int | None = None) -> None:
        """Delete an object as the cluster itself."""
        kind = self.api.registry.of_resource(place.resource)
        live = self.find(place)
        if kind is not None and live is not None:
            self.api.components.delete(kind, live, grace_s)

    def remove(self, place: Place) -> None:
        """Take an object away at once, whatever holds it."""
        kind = self.api.registry.of_resource(place.resource)
        if kind is not None and self.find(place) is not None:
            self.api.components.remove(kind, place)

    def tell(self, about: Object, reason: str, message: str, *, warning: bool = True) -> None:
        """Record an Event about an object; the same one again is counted."""
        namespace = namespace_of(about) or "default"
        digest = hashlib.sha256(f"{uid_of(about)}{reason}{message}".encode()).hexdigest()[:16]
        place = Place("events", namespace, f"{name_of(about)}.{digest}")
        now = self.api.now()
        known = self.find(place)
        if known is not None:
            last = datetime.fromisoformat(text(known, "lastTimestamp"))
            if (self.clock.now() - last).total_seconds() < _SAME_EVENT_S:
                return
            count = known.get("count")
            again: Json = count + 1 if isinstance(count, int) else 1
            self.edit(place, lambda obj: obj.update({"count": again, "lastTimestamp": now}))
            return
        involved: Object = {
            "apiVersion": about.get("apiVersion"),
            "kind": about.get("kind"),
            "name": name_of(about),
            "namespace": namespace_of(about),
            "uid": uid_of(about),
        }
        self.plant(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": place.name, "namespace": namespace},
                "involvedObject": involved,
                "type": "Warning" if warning else "Normal",
                "reason": reason,
                "message": message,
                "count": 1,
                "firstTimestamp": now,
                "lastTimestamp": now,
                "source": {"component": "lab"},
            }
        )


def find_condition(obj: Object, kind: str) -> Object:
    """Find a condition by type; an empty object when there is none."""
    found = (item for item in maps(obj, "status", "conditions") if item.get("type") == kind)
    return next(found, {})


def is_true(obj: Object, kind: str) -> bool:
    """Tell whether a condition is True."""
    return text(find_condition(obj, kind), "status") == "True"


def set_condition(
    status: Object, kind: str, value: str, reason: str, message: str, *, now: str
) -> None:
    """Put a condition into a status; its transition time moves only when its value does."""
    conditions = maps(status, "conditions")
    old: Object = next((item for item in conditions if item.get("type") == kind), {})
    since = old.get("lastTransitionTime") if old.get("status") == value else now
    new: Object = {
        "type": kind,
        "status": value,
        "reason": reason,
        "message": message,
        "lastTransitionTime": since,
    }
    kept: list[Json] = [new if item is old else item for item in conditions]
    if not old:
        kept.append(new)
    status["conditions"] = kept


def digest_of(value: Json) -> str:
    """Name a pod template by its content, as `pod-template-hash` does."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:10]

"""One controller: a watch, a queue without duplicates, and a few workers, as controller-runtime."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lab.clock import LabClock
from lab.flux.artifacts import SourceKey
from lab.flux.conditions import is_ready
from lab.kubernetes.client import KubernetesClient
from lab.kubernetes.errors import ApiError, NotFoundError
from lab.kubernetes.values import Object, dig, maps, name_of, namespace_of
from lab.ledger import CAUSE

__all__ = ["Controller", "Key", "KindName", "Reconcile", "RetryError"]

Key = tuple[str, str]  # namespace, name
KindName = tuple[str, str]  # apiVersion, kind
# Reconciles one object: gets it fresh, and an event that is set when something newer arrives.
# Returns simulated seconds until the next time, or None to wait for a change.
Reconcile = Callable[[Object, asyncio.Event], Awaitable[float | None]]

REQUESTED_AT = "reconcile.fluxcd.io/requestedAt"
# Flux' rate limiter: 750 ms doubled with each failure, at most 15 min (fluxcd/pkg runtime).
_FIRST_BACKOFF_S = 0.75
_LONGEST_BACKOFF_S = 900.0
# Simulated seconds until a kind that is not served, or an API that is away, is tried again.
_AGAIN_S = 2.0


class RetryError(Exception):
    """This attempt failed; the next one comes after a back-off."""


@dataclass(slots=True)
class _Seen:
    generation: int
    requested_at: str
    deleted_at: str


@dataclass(frozen=True, slots=True)
class _Again:
    """When an object is looked at next: after its interval, or as a retry of what failed."""

    after_s: float
    is_retry: bool


class Controller:
    """Reconciles all objects of one kind."""

    def __init__(
        self,
        clock: LabClock,
        client: KubernetesClient,
        kind: KindName,
        reconcile: Reconcile,
        *,
        workers: int,
        find_source: Callable[[Object], SourceKey] | None = None,
    ) -> None:
        self.kind = kind
        self._find_source = find_source
        self._sources: dict[Key, SourceKey] = {}
        self._clock = clock
        self._client = client
        self._reconcile = reconcile
        self._workers = workers
        self._queue: asyncio.Queue[Key] = asyncio.Queue()
        self._causes: dict[Key, int] = {}  # what the next reconciliation follows from
        self._cause = 0  # what made this controller run
        self._queued: set[Key] = set()
        self._held: set[Key] = set()  # queued while every worker was busy
        self._running: dict[Key, asyncio.Event] = {}
        self._again: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._seen: dict[Key, _Seen] = {}

    async def run(self) -> None:
        """Reconcile until cancelled."""
        self._cause = CAUSE.get()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch())
                for _ in range(self._workers):
                    group.create_task(self._work())
        finally:
            for timer in self._timers.values():
                timer.cancel()

    def enqueue(self, key: Key, *, newer: bool = True) -> None:
        """Ask for a reconciliation; `newer` interrupts one that is waiting for readiness."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        known = self._causes.get(key, self._cause)
        self._causes[key] = self._clock.ledger.choose_cause(known, CAUSE.get())
        if key in self._running:
            self._again.add(key)
            if newer:
                self._running[key].set()
        elif key not in self._queued:
            self._queued.add(key)
            if len(self._running) + self._queue.qsize() >= self._workers:
                self._held.add(key)
            self._queue.put_nowait(key)

    def enqueue_users(self, source: SourceKey) -> None:
        """Ask for a reconciliation of everything that builds from `source`."""
        for key, used in [*self._sources.items()]:
            if used == source:
                self.enqueue(key)

    async def _watch(self) -> None:
        while True:
            try:
                async for event in self._client.watch(*self.kind, copies=False):
                    self._notice(event.type, event.object)
            except ApiError:
                await self._clock.pause(_AGAIN_S)

    def _notice(self, event: str, obj: Object) -> None:
        key = (namespace_of(obj), name_of(obj))
        if event == "DELETED":
            self._seen.pop(key, None)
            self._sources.pop(key, None)
            self._failures.pop(key, None)
            return
        generation = dig(obj, "metadata", "generation")
        seen = _Seen(
            generation if isinstance(generation, int) else 0,
            str(dig(obj, "metadata", "annotations", REQUESTED_AT) or ""),
            str(dig(obj, "metadata", "deletionTimestamp") or ""),
        )
        if self._seen.get(key) != seen:
            if self._find_source is not None:
                self._sources[key] = self._find_source(obj)
            self._seen[key] = seen
            self._failures.pop(key, None)
            self.enqueue(key)

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            self._queued.discard(key)
            self._running[key] = asyncio.Event()
            self._take_cause(key)
            try:
                again = await self._attempt(key)
            finally:
                del self._running[key]
            if key in self._again:
                self._again.discard(key)
                self.enqueue(key)
            elif again is not None:
                self._later(key, again)

    def _take_cause(self, key: Key) -> None:
        """Follow what asked for this; and what this worker did before, if the object waited for it.

        A release holds one of helm-controller's few workers while its pods become ready.
        """
        cause = self._causes.pop(key, self._cause)
        if key in self._held:
            self._held.discard(key)
            cause = self._clock.ledger.choose_cause(cause, CAUSE.get())
        CAUSE.set(cause)

    async def _attempt(self, key: Key) -> _Again | None:
        namespace, name = key
        try:
            obj = await self._client.find(*self.kind, name, namespace)
            if obj is None:
                return None
            after_s = await self._reconcile(obj, self._running[key])
        except NotFoundError:
            return None if await self._is_gone(key) else self._back_off(key)
        except (ApiError, RetryError):
            return self._back_off(key)
        self._failures.pop(key, None)
        # A static source, such as an OCI HelmRepository, never says anything about itself.
        is_retry = bool(maps(obj, "status", "conditions")) and not is_ready(obj)
        return _Again(after_s, is_retry) if after_s is not None else None

    async def _is_gone(self, key: Key) -> bool:
        try:
            return await self._client.find(*self.kind, key[1], key[0]) is None
        except ApiError:
            return False

    def _back_off(self, key: Key) -> _Again:
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        return _Again(min(_FIRST_BACKOFF_S * 2.0**count, _LONGEST_BACKOFF_S), is_retry=True)

    def _later(self, key: Key, again: _Again) -> None:
        cause = CAUSE.get()

        def due() -> None:
            self._timers.pop(key, None)
            # Nobody waits for the interval of what is ready.
            if again.is_retry:
                what = f"{self.kind[1]} {'/'.join(key)} tried again"
                self._clock.note_wait(again.after_s, what, cause)
            self.enqueue(key, newer=False)

        loop = asyncio.get_running_loop()
        self._timers[key] = loop.call_later(again.after_s / self._clock.speed, due)

"""Waiting for objects: one watch a kind wakes whoever waits, and nobody polls."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lab.clock import LabClock
from lab.flux.health import Health, Verdict
from lab.flux.kstatus import CURRENT, FAILED, NOT_FOUND
from lab.kubernetes.client import KubernetesClient
from lab.kubernetes.errors import ApiError
from lab.kubernetes.values import Object, name_of, namespace_of, text

__all__ = ["InterruptedWaitError", "NotReadyError", "Readiness", "Reference", "refer_to"]

# Simulated seconds between two looks at the same set, however often it changes meanwhile.
_SETTLE_S = 0.1
# Simulated seconds until a watch that ended is begun again.
_AGAIN_S = 2.0


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """What identifies an object: apiVersion and kind as in its manifest, namespace, name."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """As fluxcd/pkg writes it: `Kind/namespace/name`, without an empty namespace."""
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)


def refer_to(obj: Object) -> Reference:
    """Make the reference of a manifest."""
    return Reference(text(obj, "apiVersion"), text(obj, "kind"), namespace_of(obj), name_of(obj))


class NotReadyError(Exception):
    """Objects are not ready in time, or never will be; the text is that of fluxcd/pkg/ssa."""


class InterruptedWaitError(Exception):
    """Something newer asks for the object whose parts are waited for."""


class Readiness:
    """Knows when objects change; share one among all waits."""

    def __init__(self, clock: LabClock, client: KubernetesClient) -> None:
        self._clock = clock
        self._client = client
        self._watchers: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._waiting: defaultdict[tuple[str, str], set[asyncio.Event]] = defaultdict(set)

    async def stop(self) -> None:
        """End all watches."""
        watchers = [*self._watchers.values()]
        self._watchers.clear()
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)

    async def wait(
        self,
        references: Iterable[Reference],
        timeout_s: float,
        *,
        health: Health | None = None,
        interrupt: asyncio.Event | None = None,
    ) -> None:
        """Wait until every object is Current for `health`; `timeout_s` in simulated seconds.

        Raises:
            NotReadyError: time is up, or nothing is left but Failed and Current objects.
            InterruptedWaitError: `interrupt` was set.
        """
        wanted = sorted(set(references))
        changed = asyncio.Event()
        kinds = {(reference.api_version, reference.kind) for reference in wanted}
        for kind in kinds:
            self._waiting[kind].add(changed)
            self._follow(kind)
        try:
            wait = _Wait(wanted, timeout_s, health or Health({}), changed, interrupt)
            await self._wait(wait)
        finally:
            for kind in kinds:
                self._waiting[kind].discard(changed)

    async def judge(self, reference: Reference, health: Health) -> Verdict:
        """Judge one object now."""
        try:
            obj = await self._client.peek_one(
                reference.api_version, reference.kind, reference.name, reference.namespace
            )
        except ApiError:
            return Verdict(NOT_FOUND)
        return health.judge(obj) if obj is not None else Verdict(NOT_FOUND)

    async def _wait(self, wait: _Wait) -> None:
        deadline = self._clock.elapsed_s() + wait.timeout_s
        left = [*wait.wanted]
        while True:
            wait.changed.clear()
            states = {item: await self.judge(item, wait.health) for item in left}
            left = [item for item in left if states[item].status != CURRENT]
            if not left:
                self._follow_causes(wait.wanted)
                return
            if all(states[item].status == FAILED for item in left):
                raise NotReadyError(_explain("failed early due to stalled resources", states))
            rest_s = deadline - self._clock.elapsed_s()
            if rest_s <= 0:
                raise NotReadyError(_explain("timeout waiting for", states))
            await self._sleep(min(rest_s, wait.timeout_s), wait.changed, wait.interrupt)

    def _follow_causes(self, wanted: Sequence[Reference]) -> None:
        """Go on from the heaviest of what made the objects ready."""
        causes = (
            self._client.find_cause(item.api_version, item.kind, item.name, item.namespace)
            for item in wanted
        )
        self._clock.ledger.follow(*causes)

    async def _sleep(
        self, seconds: float, changed: asyncio.Event, interrupt: asyncio.Event | None
    ) -> None:
        """Sleep until something changed or `seconds` are over, and a little longer."""
        events = [changed] if interrupt is None else [changed, interrupt]
        sleepers = [asyncio.ensure_future(event.wait()) for event in events]
        try:
            await asyncio.wait(
                sleepers, timeout=seconds / self._clock.speed, return_when="FIRST_COMPLETED"
            )
        finally:
            for sleeper in sleepers:
                sleeper.cancel()
        if interrupt is not None and interrupt.is_set():
            raise InterruptedWaitError
        await self._clock.pause(min(_SETTLE_S, seconds))

    def _follow(self, kind: tuple[str, str]) -> None:
        if kind not in self._watchers:
            self._watchers[kind] = asyncio.create_task(self._watch(kind))

    async def _watch(self, kind: tuple[str, str]) -> None:
        while True:
            try:
                async for _ in self._client.watch(*kind, copies=False):
                    self._tell(kind)
            except ApiError:
                self._tell(kind)
                await self._clock.pause(_AGAIN_S)

    def _tell(self, kind: tuple[str, str]) -> None:
        for event in self._waiting[kind]:
            event.set()


@dataclass(frozen=True, slots=True)
class _Wait:
    """What one wait is for, and what ends it."""

    wanted: Sequence[Reference]
    timeout_s: float
    health: Health
    changed: asyncio.Event
    interrupt: asyncio.Event | None


def _explain(problem: str, states: dict[Reference, Verdict]) -> str:
    shown = [
        f"{reference} {states[reference]}"
        for reference in sorted(states)
        if states[reference].status != CURRENT
    ]
    return f"{problem}: [{', '.join(shown)}]"

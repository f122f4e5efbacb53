"""A machine's event stream: what happened since boot, and who listens.

Source: `machine.MachineService/Events`, facts/talos.md §3.3. Ids are xids: 12 bytes in lower-case
base32hex, which sort by time.
"""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.message import Message

from lab.machines.protos import machine_pb2

__all__ = ["Event", "EventBus"]

_KEPT = 1000  # Talos keeps a ring buffer of this size


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a machine; `actor` is the id of the request that caused it, or ""."""

    id: str
    payload: Message
    actor: str
    at: datetime

    def to_message(self) -> machine_pb2.Event:
        """Pack it for the wire."""
        message = machine_pb2.Event(id=self.id, actor_id=self.actor)
        message.data.type_url = f"talos/runtime/{self.payload.DESCRIPTOR.full_name}"
        message.data.value = self.payload.SerializeToString()
        return message


class EventBus:
    """Publishes events and replays the recent ones; a reboot begins a new bus."""

    def __init__(self) -> None:
        self._kept: deque[Event] = deque(maxlen=_KEPT)
        self._listeners: set[asyncio.Queue[Event]] = set()
        self._counter = 0

    def publish(self, payload: Message, at: datetime, actor: str = "") -> None:
        """Add an event and give it to everybody who listens."""
        self._counter += 1
        event = Event(_make_xid(at, self._counter), payload, actor, at)
        self._kept.append(event)
        for listener in self._listeners:
            listener.put_nowait(event)

    async def listen(
        self, request: machine_pb2.EventsRequest, now: datetime
    ) -> AsyncIterator[Event]:
        """Yield what the request's tail asks for, then every event to come."""
        with self._subscribe() as queue:
            for event in self._read_tail(request, now):
                yield event
            while True:
                event = await queue.get()
                if request.with_actor_id in {"", event.actor}:
                    yield event

    def _read_tail(self, request: machine_pb2.EventsRequest, now: datetime) -> list[Event]:
        kept = [item for item in self._kept if request.with_actor_id in {"", item.actor}]
        if request.tail_id:
            return [item for item in kept if item.id > request.tail_id]
        if request.tail_seconds:
            return [item for item in kept if (now - item.at).seconds <= request.tail_seconds]
        if request.tail_events < 0:
            return kept
        return kept[-request.tail_events :] if request.tail_events else []

    @contextmanager
    def _subscribe(self) -> Iterator[asyncio.Queue[Event]]:
        queue: asyncio.Queue[Event] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            yield queue
        finally:
            self._listeners.discard(queue)


def _make_xid(at: datetime, counter: int) -> str:
    raw = int(at.timestamp()).to_bytes(4, "big") + bytes(5) + counter.to_bytes(3, "big")
    return base64.b32hexencode(raw).decode().rstrip("=").lower()

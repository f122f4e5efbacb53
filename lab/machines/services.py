"""The services of a machine, with the states and events that `talosctl service` shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from lab.machines.protos import machine_pb2

__all__ = ["Service", "ServiceTable"]

_KEPT_EVENTS = 10  # arbitrary, enough for a status table


@dataclass(slots=True)
class Service:
    """One service; `health` None means unknown, as for services without a health check."""

    id: str
    state: str = "Initialized"
    health: bool | None = None
    message: str = ""
    changed_at: datetime | None = None
    events: list[machine_pb2.ServiceEvent] = field(default_factory=list)

    @property
    def is_running(self) -> bool:
        """Tell whether it runs, healthy or not."""
        return self.state == "Running"

    @property
    def is_up(self) -> bool:
        """Tell whether it runs and no health check says otherwise."""
        return self.is_running and self.health is not False

    def to_message(self) -> machine_pb2.ServiceInfo:
        """Describe it for the wire."""
        return machine_pb2.ServiceInfo(
            id=self.id,
            state=self.state,
            events=machine_pb2.ServiceEvents(events=self.events),
            health=self.describe_health(),
        )

    def describe_health(self) -> machine_pb2.ServiceHealth:
        """Describe its health for the wire."""
        return machine_pb2.ServiceHealth(
            unknown=self.health is None,
            healthy=bool(self.health),
            last_message=self.message if self.health is False else "",
            last_change=_stamp(self.changed_at),
        )


class ServiceTable:
    """All services of one boot."""

    def __init__(
        self,
        now: Callable[[], datetime],
        publish: Callable[[machine_pb2.ServiceStateEvent], None],
    ) -> None:
        self._now = now
        self._publish = publish
        self._services: dict[str, Service] = {}

    def get(self, name: str) -> Service | None:
        """Find a service."""
        return self._services.get(name)

    def get_all(self) -> list[Service]:
        """List every service that has been loaded, by name."""
        return sorted(self._services.values(), key=lambda service: service.id)

    def is_up(self, name: str) -> bool:
        """Tell whether the service runs and is not unhealthy."""
        service = self._services.get(name)
        return service is not None and service.is_up

    def set(self, name: str, state: str, message: str = "", *, health: bool | None = None) -> None:
        """Move a service to a state and tell the event stream."""
        service = self._services.setdefault(name, Service(name))
        now = self._now()
        service.state, service.health, service.message = state, health, message
        service.changed_at = now
        entry = machine_pb2.ServiceEvent(msg=message or state, state=state, ts=_stamp(now))
        service.events = [*service.events[1 - _KEPT_EVENTS :], entry]
        self._publish(
            machine_pb2.ServiceStateEvent(
                service=name,
                action=state.upper(),
                message=message or state,
                health=service.describe_health(),
            )
        )

    def start(self, name: str, *, health: bool | None = True) -> None:
        """Bring a service up: starting, then running."""
        self.set(name, "Starting", "Starting service")
        self.set(name, "Running", "Started task", health=health)

    def stop_all(self, *, keep: frozenset[str] = frozenset()) -> None:
        """Stop everything that runs, apart from `keep`."""
        self.stop(*(service.id for service in self.get_all() if service.id not in keep))

    def stop(self, *names: str) -> None:
        """Stop services, as far as they run."""
        for name in names:
            service = self._services.get(name)
            if service is not None and service.state in {"Running", "Preparing", "Waiting"}:
                self.set(name, "Finished", "Service finished successfully")


def _stamp(at: datetime | None) -> Timestamp | None:
    if at is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp

"""Small helpers on Flux objects: status writing, the words that Flux puts into them."""

from __future__ import annotations

from contextlib import suppress

from lab.clock import LabClock
from lab.flux.conditions import Conditions
from lab.flux.queue import REQUESTED_AT
from lab.kubernetes.client import KubernetesClient
from lab.kubernetes.errors import NotFoundError
from lab.kubernetes.values import (
    Object,
    at,
    dig,
    grow,
    name_of,
    namespace_of,
    text,
    texts,
    write_time,
)

__all__ = [
    "FORCE_AT",
    "RESET_AT",
    "Context",
    "has_finalizer",
    "is_deleted",
    "is_suspended",
    "note_handled",
]

FORCE_AT = "reconcile.fluxcd.io/forceAt"
RESET_AT = "reconcile.fluxcd.io/resetAt"
FINALIZER = "finalizers.fluxcd.io"


class Context:
    """What every reconciler needs: the client, the clock, and how to write a status."""

    def __init__(self, clock: LabClock, client: KubernetesClient, manager: str) -> None:
        self.clock = clock
        self.client = client
        self.manager = manager

    def now(self) -> str:
        """The simulated time as Kubernetes writes it."""
        return write_time(self.clock.now())

    def conditions(self, obj: Object) -> Conditions:
        """The conditions of `obj`, to be changed in place."""
        return Conditions(obj, self.now)

    async def write_status(self, obj: Object) -> None:
        """Store the status of `obj`; an object that is gone meanwhile is no failure."""
        with suppress(NotFoundError):
            await self.client.update_status(
                {
                    "apiVersion": obj["apiVersion"],
                    "kind": obj["kind"],
                    "metadata": {"name": name_of(obj), "namespace": namespace_of(obj)},
                    "status": at(obj, "status"),
                },
                manager=self.manager,
            )

    async def set_finalizer(self, obj: Object, *, present: bool) -> None:
        """Add or remove Flux' finalizer."""
        kept = [item for item in texts(obj, "metadata", "finalizers") if item != FINALIZER]
        finalizers = [*kept, FINALIZER] if present else kept
        await self.client.patch(
            *kind_of(obj),
            name_of(obj),
            namespace_of(obj),
            body={"metadata": {"finalizers": [*finalizers] or None}},
            manager=self.manager,
        )

    async def emit(self, obj: Object, reason: str, message: str, *, warning: bool = False) -> None:
        """Leave an Event about `obj`, one an object and reason."""
        name = f"{name_of(obj)}.{text(obj, 'kind').lower()}.{reason.lower()}"
        event: Object = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace_of(obj)},
            "involvedObject": {
                "apiVersion": obj["apiVersion"],
                "kind": obj["kind"],
                "name": name_of(obj),
                "namespace": namespace_of(obj),
            },
            "type": "Warning" if warning else "Normal",
            "reason": reason,
            "message": message[:1024],
            "source": {"component": self.manager},
            "lastTimestamp": self.now(),
        }
        await self.client.apply(event, manager=self.manager, force=True)


def kind_of(obj: Object) -> tuple[str, str]:
    """ApiVersion and kind of a manifest."""
    return text(obj, "apiVersion"), text(obj, "kind")


def is_suspended(obj: Object) -> bool:
    """Tell whether `spec.suspend` is set."""
    return dig(obj, "spec", "suspend") is True


def is_deleted(obj: Object) -> bool:
    """Tell whether the object waits for its finalizers."""
    return dig(obj, "metadata", "deletionTimestamp") is not None


def has_finalizer(obj: Object) -> bool:
    """Tell whether Flux' finalizer is on the object."""
    return FINALIZER in texts(obj, "metadata", "finalizers")


def note_handled(obj: Object) -> None:
    """Copy the request annotation into the status: this request was handled, well or not."""
    requested = text(obj, "metadata", "annotations", REQUESTED_AT)
    if requested:
        grow(obj, "status")["lastHandledReconcileAt"] = requested

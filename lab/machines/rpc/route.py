"""What a served method is: its path, who may call it, and the function that answers.

Roles are those of machined's rule table (`system/services/machined.go`, Talos v1.13.9).
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from google.protobuf.message import Message
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError

from lab.machines.boot import PowerRequest
from lab.machines.machine import Machine
from lab.machines.table import MachineTable

__all__ = [
    "ADMINS",
    "BACKUPS",
    "ETCD_READERS",
    "META_WRITERS",
    "OPERATORS",
    "READERS",
    "Call",
    "Route",
    "ask_sequence",
    "require_control_plane",
    "stream",
    "unary",
    "upload",
]

ADMINS = frozenset({"os:admin"})
OPERATORS = ADMINS | {"os:operator"}
READERS = OPERATORS | {"os:reader"}
BACKUPS = OPERATORS | {"os:etcd:backup"}
ETCD_READERS = READERS | {"os:etcd:backup"}
META_WRITERS = ADMINS | {"os:meta:writer"}

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)


@dataclass(frozen=True, slots=True)
class Call:
    """One call, as the machine that answers it sees it."""

    machine: Machine
    table: MachineTable
    roles: frozenset[str]
    is_forwarded: bool = False  # by the machine that was asked

    @property
    def in_maintenance(self) -> bool:
        """Tell whether the machine has no machine config."""
        return self.machine.config is None


@dataclass(frozen=True, slots=True)
class Route:
    """A method: `answer` takes all request messages and yields the replies."""

    path: str
    roles: frozenset[str]
    cardinality: Cardinality
    request: type[Message]
    reply: type[Message]
    answer: Callable[[Call, Sequence[Message]], AsyncIterator[Message]]
    mutates: bool = False

    @property
    def method(self) -> str:
        """Name of the method alone."""
        return self.path.rpartition("/")[2]


def unary(
    path: str,
    roles: frozenset[str],
    types: tuple[type[Q], type[R]],
    handle: Callable[[Call, Q], Awaitable[R]],
    *,
    mutates: bool = False,
) -> Route:
    """Make a route of one request, one reply."""
    request, reply = types

    async def answer(call: Call, messages: Sequence[Message]) -> AsyncIterator[Message]:
        yield await handle(call, _take(request, messages))

    return Route(path, roles, Cardinality.UNARY_UNARY, request, reply, answer, mutates)


def stream(
    path: str,
    roles: frozenset[str],
    types: tuple[type[Q], type[R]],
    handle: Callable[[Call, Q], AsyncIterator[R]],
    *,
    mutates: bool = False,
) -> Route:
    """Make a route of one request, many replies."""
    request, reply = types

    async def answer(call: Call, messages: Sequence[Message]) -> AsyncIterator[Message]:
        async for message in handle(call, _take(request, messages)):
            yield message

    return Route(path, roles, Cardinality.UNARY_STREAM, request, reply, answer, mutates)


def upload(
    path: str,
    roles: frozenset[str],
    types: tuple[type[Q], type[R]],
    handle: Callable[[Call, Sequence[Q]], Awaitable[R]],
) -> Route:
    """Make a route of many requests, one reply."""
    request, reply = types

    async def answer(call: Call, messages: Sequence[Message]) -> AsyncIterator[Message]:
        yield await handle(call, [item for item in messages if isinstance(item, request)])

    return Route(path, roles, Cardinality.STREAM_UNARY, request, reply, answer, True)


def ask_sequence(call: Call, request: PowerRequest) -> str:
    """Begin a sequence on the machine; return the id that its events carry."""
    actor = str(uuid.uuid4())
    call.machine.requests.put_nowait(replace(request, actor=actor))
    return actor


def require_control_plane(call: Call, api: str) -> None:
    """Refuse what only control planes answer (`machinehelper.go`).

    Raises:
        GRPCError: UNIMPLEMENTED, on a worker and on a machine without a config.
    """
    if call.in_maintenance:
        raise GRPCError(Status.UNIMPLEMENTED, f"machine type is not set, cannot use {api} API")
    if not call.machine.is_control_plane:
        raise GRPCError(Status.UNIMPLEMENTED, f"{api} is only available on control plane nodes")


def _take(kind: type[Q], messages: Sequence[Message]) -> Q:
    for message in messages:
        if isinstance(message, kind):
            return message
    raise GRPCError(Status.INTERNAL, "request message is missing")

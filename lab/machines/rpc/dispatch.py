"""From a gRPC stream to the answering function: routing, authorization, errors.

The rules are apid's (`internal/app/apid/pkg/{director,backend}` of Talos v1.13.9): no metadata is
local; `node` is passed through; `nodes` is asked of each and every reply is tagged with its node.
A machine answers for another one by looking at it directly, after checking that it could reach it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial

from google.protobuf.message import Message
from grpclib.const import Handler, Status
from grpclib.exceptions import GRPCError
from grpclib.server import Stream

from lab.machines.listener import API_PORT
from lab.machines.machine import Machine
from lab.machines.rpc.maintenance import find_refusal
from lab.machines.rpc.route import Call, Route
from lab.machines.table import MachineTable

__all__ = ["make_handlers"]

_AGGREGATED = (
    "/machine.MachineService/",
    "/cluster.ClusterService/",
    "/inspect.InspectService/",
    "/storage.StorageService/",
    "/time.TimeService/",
)
_IN_MAINTENANCE = frozenset({"os:reader"})


def make_handlers(
    machine: Machine, table: MachineTable, routes: Iterable[Route]
) -> Mapping[str, Handler]:
    """Make grpclib's table of handlers for one machine's listener."""
    return {
        route.path: Handler(
            partial(_serve, machine, table, route), route.cardinality, route.request, route.reply
        )
        for route in routes
    }


async def _serve(
    machine: Machine, table: MachineTable, route: Route, wire: Stream[Message, Message]
) -> None:
    targets = _read_targets(machine, route, wire)
    roles = _read_roles(machine, wire)
    requests = [message async for message in wire]
    calls: list[tuple[str, Call | GRPCError]] = []
    if targets is None:
        calls = [("", Call(machine, table, roles))]
    else:
        tagged, names = targets
        calls = [(name if tagged else "", _forward(machine, table, name, roles)) for name in names]
    await _answer(route, calls, requests, wire.send_message)


def _read_targets(
    machine: Machine, route: Route, wire: Stream[Message, Message]
) -> tuple[bool, Sequence[str]] | None:
    """Read whom a call is for: None means this machine; the flag says whether to tag replies."""
    metadata = wire.metadata
    if metadata is None or machine.config is None or "proxyfrom" in metadata:
        return None
    node, nodes = metadata.getall("node", []), metadata.getall("nodes", [])
    if len(node) > 1:
        raise GRPCError(Status.INVALID_ARGUMENT, "node metadata must be single-valued")
    if not machine.is_control_plane:
        local = {machine.spec.address, machine.spec.loopback, machine.hostname}
        node = [] if set(node) <= local else node
        nodes = [] if len(nodes) == 1 and set(nodes) <= local else nodes
        if node or nodes:
            raise GRPCError(Status.PERMISSION_DENIED, "no request forwarding")
    if nodes:
        if not route.path.startswith(_AGGREGATED):
            raise GRPCError(
                Status.INVALID_ARGUMENT,
                f"one-2-many proxying is not supported for method {route.path}",
            )
        return True, [str(name) for name in nodes]
    return (False, [str(node[0])]) if node else None


def _read_roles(machine: Machine, wire: Stream[Message, Message]) -> frozenset[str]:
    if machine.config is None:
        return _IN_MAINTENANCE
    certificate = wire.peer.cert() or {}
    return frozenset(
        value
        for part in certificate.get("subject", ())
        for key, value in part
        if key == "organizationName"
    )


def _forward(
    machine: Machine, table: MachineTable, name: str, roles: frozenset[str]
) -> Call | GRPCError:
    target = table.find(name)
    if target is machine:
        return Call(machine, table, roles)
    problem = _find_dial_problem(machine, target, name)
    if problem or target is None:
        return GRPCError(Status.UNAVAILABLE, f'connection error: desc = "transport: {problem}"')
    return Call(target, table, roles, is_forwarded=True)


def _find_dial_problem(machine: Machine, target: Machine | None, name: str) -> str:
    dialing = f"Error while dialing: dial tcp {name}:{API_PORT}"
    if target is None or target.gate.line.condition.is_silent:
        return f"{dialing}: i/o timeout"
    if not target.is_reachable or target.gate.line.condition.is_cut:
        return f"{dialing}: connect: connection refused"
    if target.authority != machine.authority:
        return (
            "authentication handshake failed: tls: failed to verify certificate: "
            "x509: certificate signed by unknown authority"
        )
    return ""


async def _answer(
    route: Route,
    calls: Sequence[tuple[str, Call | GRPCError]],
    requests: Sequence[Message],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    if not calls[0][0]:
        async for reply in _ask(route, calls[0][1], requests):
            await send(reply)
        return
    if route.cardinality.server_streaming:
        await asyncio.gather(*(_relay(route, call, requests, send) for call in calls))
        return
    merged = route.reply()
    for reply in await asyncio.gather(*(_collect(route, call, requests) for call in calls)):
        merged.MergeFrom(reply)
    await send(merged)


async def _ask(
    route: Route, call: Call | GRPCError, requests: Sequence[Message]
) -> AsyncIterator[Message]:
    if isinstance(call, GRPCError):
        raise call
    if refusal := find_refusal(call.machine, route.path):
        raise refusal
    if not call.roles & route.roles:
        raise GRPCError(Status.PERMISSION_DENIED, "not authorized")
    call.machine.clock.ledger.note_seen(call.machine.cause)
    if route.mutates:
        call.machine.note_order()
    replies = route.answer(call, requests)
    async for reply in _until_cut(call.machine, replies) if call.is_forwarded else replies:
        yield reply
    if route.mutates:
        call.machine.count(f"rpc.{route.method}")


async def _until_cut(target: Machine, replies: AsyncIterator[Message]) -> AsyncIterator[Message]:
    """Pass replies on until the machine that sends them drops its connections."""
    cut = asyncio.create_task(target.gate.wait_cut())
    try:
        while True:
            step = asyncio.create_task(_take_next(replies))
            try:
                await asyncio.wait({step, cut}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not step.done():
                    step.cancel()
            if not step.done():
                raise GRPCError(Status.UNAVAILABLE, "error reading from server: EOF")
            reply = step.result()
            if reply is None:
                return
            yield reply
    finally:
        cut.cancel()


async def _take_next(replies: AsyncIterator[Message]) -> Message | None:
    return await anext(replies, None)


async def _collect(
    route: Route, call: tuple[str, Call | GRPCError], requests: Sequence[Message]
) -> Message:
    """Ask one node of several for its single reply, turning failure into a tagged message."""
    name, asked = call
    merged = route.reply()
    try:
        async for reply in _ask(route, asked, requests):
            merged.MergeFrom(reply)
    except GRPCError as error:
        _tag(getattr(merged, "messages").add(), name, error)  # noqa: B009 # every reply type has it
        return merged
    for message in getattr(merged, "messages"):  # noqa: B009 # see above
        _tag(message, name, None)
    return merged


async def _relay(
    route: Route,
    call: tuple[str, Call | GRPCError],
    requests: Sequence[Message],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Pass one node's stream on, tagged; a failure is its last message."""
    name, asked = call
    try:
        async for reply in _ask(route, asked, requests):
            _tag(reply, name, None)
            await send(reply)
    except GRPCError as error:
        last = route.reply()
        _tag(last, name, error)
        await send(last)


def _tag(message: Message, name: str, error: GRPCError | None) -> None:
    metadata = getattr(message, "metadata")  # noqa: B009 # every aggregated message has it
    metadata.hostname = name
    if error is not None:
        text = error.message or ""
        metadata.error = f"rpc error: code = {_go_name(error.status)} desc = {text}"
        metadata.status.code = error.status.value
        metadata.status.message = text


def _go_name(status: Status) -> str:
    """Spell a status code as Go does: `FailedPrecondition`."""
    return "".join(word.capitalize() for word in status.name.split("_"))

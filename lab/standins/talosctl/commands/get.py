"""`get TYPE [ID]`: resources of the machine's state, once or as they change."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import NamedTuple

from lab.standins.talosctl.client import Client
from lab.standins.talosctl.command import Call
from lab.standins.talosctl.commands.console import SIGNAL_NOTICE, warn
from lab.standins.talosctl.commands.version import check_client_version
from lab.standins.talosctl.failure import CommandError, RpcError, join_errors
from lab.standins.talosctl.messages import RESOURCE_DEFINITION
from lab.standins.talosctl.output import Definition, Writer, make_writer
from lab.standins.talosctl.proto import (
    Message,
    child,
    children,
    decode,
    number,
    octets,
    text,
    texts,
)

__all__ = ["get_resources"]

_CREATED, _UPDATED, _DESTROYED, _BOOTSTRAPPED, _ERRORED, _NOOP = range(6)
_EVENT_NAMES = ("created", "updated", "destroyed", "bootstrapped", "errored", "noop")


class _Query(NamedTuple):
    """What to get, once the type's name is known."""

    definition: Definition
    namespace: str
    ident: str

    @property
    def key(self) -> Message:
        return {"namespace": self.namespace, "type": self.definition.kind, "id": self.ident}


def get_resources(call: Call) -> None:
    """`get TYPE [ID] [-o table|json|yaml|jsonpath=...] [-w] [-i] [--namespace NS]`."""
    client = call.open()
    check_client_version(client)
    writer = make_writer(call.parsed.text("output"), sys.stdout)
    # Without nodes (maintenance) the machine that answers is meant, and named by nothing.
    nodes = list(client.nodes) or [""]
    definition = _resolve(client, nodes[0], call.words[0])
    query = _Query(
        definition,
        call.parsed.text("namespace") or definition.namespace,
        call.words[1] if len(call.words) > 1 else "",
    )
    is_watch = call.parsed.is_set("watch")
    writer.begin(definition, with_events=is_watch)
    if is_watch:
        _watch(client, nodes, query, writer)
        return
    errors: list[str] = []
    for node in nodes:
        try:
            for resource in _fetch(client, node, query):
                writer.add(node, resource, "")
        except RpcError as error:
            errors.append(str(error))
    writer.flush()
    if errors:
        raise CommandError(join_errors(errors))


def _resolve(client: Client, node: str, word: str) -> Definition:
    request: Message = {"namespace": "meta", "type": "ResourceDefinitions.meta.cosi.dev"}
    found: list[tuple[str, Definition]] = []
    for reply in client.stream("List", request, node=node):
        resource = child(reply, "resource")
        ident = text(child(resource, "metadata"), "id")
        spec = decode(octets(child(resource, "spec"), "proto_spec"), RESOURCE_DEFINITION)
        names = [ident, *texts(spec, "all_aliases")]
        if any(name.lower() == word.lower() for name in names):
            found.append((ident, _make_definition(spec)))
    if not found:
        raise RpcError("NotFound", f'resource "{word}" is not registered')
    if len(found) > 1:
        idents = " ".join(ident for ident, _ in found)
        raise RpcError("InvalidArgument", f'resource type "{word}" is ambiguous: [{idents}]')
    return found[0][1]


def _make_definition(spec: Message) -> Definition:
    columns = tuple(
        (text(item, "name"), text(item, "json_path")) for item in children(spec, "print_columns")
    )
    return Definition(
        text(spec, "resource_type"),
        text(spec, "display_type"),
        text(spec, "default_namespace"),
        columns,
    )


def _fetch(client: Client, node: str, query: _Query) -> Iterator[Message]:
    method = "Get" if query.ident else "List"
    request = query.key if query.ident else {k: v for k, v in query.key.items() if k != "id"}
    for reply in client.stream(method, request, node=node):
        yield child(reply, "resource")


def _watch(client: Client, nodes: list[str], query: _Query, writer: Writer) -> None:
    try:
        if len(nodes) > 1:
            _watch_many(client, nodes, query, writer)
            return
        is_live = bool(query.ident)
        for event in _watch_node(client, nodes[0], query):
            is_live = _show_event(nodes[0], event, writer, is_live=is_live)
    except KeyboardInterrupt:
        # Stopping a watch is no failure.
        warn(SIGNAL_NOTICE)


def _watch_many(client: Client, nodes: list[str], query: _Query, writer: Writer) -> None:
    from queue import Queue  # noqa: PLC0415  slow to import, rarely needed
    from threading import Thread  # noqa: PLC0415  same

    events: Queue[tuple[str, Message | CommandError]] = Queue()

    def follow(node: str) -> None:
        try:
            for event in _watch_node(client.again(), node, query):
                events.put((node, event))
            events.put((node, CommandError("watch ended")))
        except CommandError as error:
            events.put((node, error))

    for node in nodes:
        Thread(target=follow, args=(node,), daemon=True).start()
    is_live = bool(query.ident)
    while True:
        node, event = events.get()
        if isinstance(event, CommandError):
            raise CommandError(f"error watching resource: {event}")
        is_live = _show_event(node, event, writer, is_live=is_live)


def _watch_node(client: Client, node: str, query: _Query) -> Iterator[Message]:
    request: Message = {**query.key, "api_version": 1}
    if not query.ident:
        request.pop("id")
        request["options"] = {"bootstrap_contents": True}
    try:
        for reply in client.stream("Watch", request, node=node):
            yield from children(reply, "event")
    except RpcError as error:
        raise CommandError(f"error watching resource: {error}") from error


def _show_event(node: str, event: Message, writer: Writer, *, is_live: bool) -> bool:
    """Show one event; what was there before is held back, so that a table has one width.

    Returns:
        Whether everything that was there before has been shown.
    """
    kind = number(event, "event_type")
    if kind == _ERRORED:
        raise CommandError(f"error watching resource: {text(event, 'error')}")
    resource = child(event, "resource")
    if kind not in {_BOOTSTRAPPED, _NOOP} and resource:
        writer.add(node, resource, _EVENT_NAMES[kind])
    is_live = is_live or kind == _BOOTSTRAPPED
    if is_live:
        writer.flush()
    sys.stdout.flush()
    return is_live

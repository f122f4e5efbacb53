"""A connection to a machine's API, with the metadata that names the nodes a call is for."""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lab.standins.talosctl.failure import CODES, CommandError, RpcError, join_errors
from lab.standins.talosctl.messages import METHODS
from lab.standins.talosctl.proto import Message, child, children, decode, encode, number, text
from lab.standins.talosctl.talosconfig import Context, read_talosconfig
from lab.standins.talosctl.tls import Credentials
from lab.standins.talosctl.wire import Connection

__all__ = ["Client", "Target", "decode_base64", "open_client", "open_maintenance"]

_PORT = 50000


class Target(NamedTuple):
    """The global flags: which file, which context, which nodes through which endpoints."""

    talosconfig: str = ""
    context: str = ""
    cluster: str = ""
    nodes: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()


class Client:
    """Calls methods by name; connects at the first call.

    Attributes:
        nodes: Nodes that calls are for; empty in maintenance, where the machine itself is meant.
    """

    def __init__(
        self,
        endpoints: tuple[str, ...],
        credentials: Credentials,
        *,
        nodes: tuple[str, ...] = (),
        cluster: str = "",
    ) -> None:
        self.nodes = nodes
        self._endpoints = endpoints
        self._credentials = credentials
        self._cluster = cluster
        self._connection: Connection | None = None

    @property
    def peer(self) -> str:
        """The address that answered last, or the first endpoint's before any call."""
        if self._connection is not None:
            return self._connection.peer
        return _split_endpoint(self._endpoints[0])[0]

    def again(self) -> Client:
        """The same client with a connection of its own."""
        return Client(self._endpoints, self._credentials, nodes=self.nodes, cluster=self._cluster)

    def reset(self) -> None:
        """Drop the connection; the next call makes a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def stream(self, method: str, *requests: Message, node: str | None = None) -> Iterator[Message]:
        """Call a method and iterate over its replies; connecting is done when this returns.

        Args:
            method: Key of `METHODS`.
            requests: What to send.
            node: One node, for methods that apid proxies one to one; else all nodes are named.
        """
        definition = METHODS[method]
        connection = self._connect()
        replies = connection.call(
            definition.path,
            self._metadata(node),
            [encode(item, definition.request) for item in requests or ({},)],
        )
        return (decode(raw, definition.reply) for raw in replies)

    def send_all(self, method: str, requests: Iterable[Message]) -> Message:
        """Call a client-streaming method."""
        return self._last(self.stream(method, *requests))

    def call(self, method: str, request: Message | None = None) -> tuple[list[Message], str]:
        """Call a one-to-many method.

        Returns:
            The messages of nodes that answered, and the error text of those that did not.

        Raises:
            RpcError: The call itself failed.
            CommandError: Every node failed.
        """
        reply = self._last(self.stream(method, request or {}))
        kept: list[Message] = []
        errors: list[str] = []
        for message in children(reply, "messages"):
            metadata = child(message, "metadata")
            if text(metadata, "error"):
                errors.append(f"{text(metadata, 'hostname')}: {_describe(metadata)}")
            else:
                kept.append(message)
        problem = join_errors(errors) if errors else ""
        if problem and not kept:
            raise CommandError(problem)
        return kept, problem

    def _last(self, replies: Iterator[Message]) -> Message:
        # Read to the end: the status follows the message, and may not be OK.
        reply: Message = {}
        for item in replies:
            reply = item
        return reply

    def node_of(self, message: Message) -> str:
        """The node that a message came from."""
        return text(child(message, "metadata"), "hostname") or self.peer

    def _metadata(self, node: str | None) -> list[tuple[str, str]]:
        named = [("node", node)] if node else [("nodes", item) for item in self.nodes]
        if node == "":
            named = []
        cluster = [("context", self._cluster)] if self._cluster else []
        return [*named, ("runtime", "Talos"), *cluster]

    def _connect(self) -> Connection:
        if self._connection is None:
            order = _shuffle(self._endpoints)
            for position, endpoint in enumerate(order, start=1):
                try:
                    self._connection = Connection(*_split_endpoint(endpoint), self._credentials)
                    break
                except RpcError:
                    if position == len(order):
                        raise
        if self._connection is None:
            raise CommandError("failed to determine endpoints")
        return self._connection


def open_client(target: Target, *, with_nodes: bool = True) -> Client:
    """Make a client from a talosconfig.

    Raises:
        CommandError: No file, context, endpoints or nodes.
    """
    config = read_talosconfig(target.talosconfig)
    name = target.context or config.context
    context = config.contexts.get(name)
    endpoints = target.endpoints or (context.endpoints if context is not None else ())
    if not endpoints:
        raise CommandError("error constructing client: failed to determine endpoints")
    prefix = "error constructing client: failed to create client connection: "
    if context is None:
        raise CommandError(
            f"{prefix}failed to resolve configuration context: "
            + _describe_missing(name, is_chosen=bool(target.context), empty=not config.contexts)
        )
    nodes = target.nodes or context.nodes
    if with_nodes and not nodes:
        raise CommandError(
            "nodes are not set for the command: please use `--nodes` flag or configuration file "
            "to set the nodes to run the command against"
        )
    return Client(
        endpoints,
        _read_credentials(context, prefix),
        nodes=nodes,
        cluster=target.cluster or context.cluster,
    )


def open_maintenance(target: Target, fingerprints: tuple[str, ...] = ()) -> Client:
    """Make a client that dials the nodes themselves and verifies nothing but fingerprints."""
    if not target.nodes:
        raise CommandError("failed to determine endpoints")
    for item in fingerprints:
        try:
            decode_base64(item)
        except ValueError as error:
            raise CommandError(
                f'error parsing certificate fingerprint "{item}": illegal base64 data'
            ) from error
    return Client(target.nodes, Credentials(fingerprints=fingerprints))


def _describe_missing(name: str, *, is_chosen: bool, empty: bool) -> str:
    if is_chosen:
        return f'context "{name}" not found in config'
    if not name and empty:
        return "talos config file is empty"
    return f'default context "{name}" not found in config'


def _read_credentials(context: Context, prefix: str) -> Credentials:
    decoded: list[bytes] = []
    for what, value in (("CA", context.ca), ("certificate", context.crt), ("key", context.key)):
        try:
            decoded.append(decode_base64(value))
        except ValueError as error:
            raise CommandError(f"{prefix}error decoding {what}: illegal base64 data") from error
    return Credentials(ca=decoded[0], crt=decoded[1], key=decoded[2])


def _describe(metadata: Message) -> str:
    status = child(metadata, "status")
    if not status:
        return text(metadata, "error")
    code = number(status, "code")
    name = CODES[code] if code < len(CODES) else f"Code({code})"
    return f"rpc error: code = {name} desc = {text(status, 'message')}"


def decode_base64(text: str) -> bytes:
    """Read base64 that may be broken into lines."""
    return binascii.a2b_base64(text.replace("\n", ""), strict_mode=True)


def _shuffle(endpoints: tuple[str, ...]) -> list[str]:
    if len(endpoints) < 2:  # noqa: PLR2004  nothing to choose
        return list(endpoints)
    import random  # noqa: PLC0415  slow to import

    return random.sample(endpoints, len(endpoints))


def _split_endpoint(endpoint: str) -> tuple[str, int]:
    host, colon, port = endpoint.removeprefix("https://").rpartition(":")
    if colon and port.isdigit() and ":" not in host.strip("[]"):
        return host.strip("[]"), int(port)
    return endpoint.removeprefix("https://").strip("[]"), _PORT

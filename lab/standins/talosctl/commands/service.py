"""`service`: the state of Talos' services, and control over them."""

from __future__ import annotations

from lab.standins.talosctl.client import Client
from lab.standins.talosctl.command import Call
from lab.standins.talosctl.commands.console import warn_partly, write
from lab.standins.talosctl.failure import CommandError
from lab.standins.talosctl.proto import Message, child, children, flag, text
from lab.standins.talosctl.text import format_ago, format_table

__all__ = ["service"]


def service(call: Call) -> None:
    """`service [ID [status|start|stop|restart]]`."""
    words = call.words
    action = words[1] if len(words) > 1 else "status"
    client = call.open()
    if action == "status":
        _show_services(client, words[0] if words else "")
        return
    methods = {"start": "ServiceStart", "stop": "ServiceStop", "restart": "ServiceRestart"}
    if action not in methods:
        raise CommandError(f'unsupported service action: "{action}"')
    try:
        messages, problem = client.call(methods[action], {"id": words[0]})
    except CommandError as error:
        # The real one says "starting" whatever was asked.
        raise CommandError(f"error starting service: {error}") from error
    warn_partly(problem)
    rows = [["NODE", "RESPONSE"]]
    rows += [[client.node_of(message), text(message, "resp")] for message in messages]
    write(format_table(rows))


def _show_services(client: Client, ident: str) -> None:
    try:
        messages, problem = client.call("ServiceList")
    except CommandError as error:
        raise CommandError(f"error listing services: {error}") from error
    warn_partly(problem)
    listed = [
        (client.node_of(message), item)
        for message in messages
        for item in children(message, "services")
    ]
    if not ident:
        rows = [["NODE", "SERVICE", "STATE", "HEALTH", "LAST CHANGE", "LAST EVENT"]]
        rows += [_summarize(node, item) for node, item in listed]
        write(format_table(rows))
        return
    chosen = [(node, item) for node, item in listed if text(item, "id") == ident]
    if not chosen:
        raise CommandError(f'service "{ident}" is not registered on any nodes')
    write(format_table([row for node, item in chosen for row in _detail(node, item)]))


def _health(item: Message) -> str:
    health = child(item, "health")
    if flag(health, "unknown"):
        return "?"
    return "OK" if flag(health, "healthy") else "Fail"


def _summarize(node: str, item: Message) -> list[str]:
    events = children(child(item, "events"), "events")
    changed = format_ago(child(events[-1], "ts")) if events else ""
    last = text(events[-1], "msg") if events else "<none>"
    return [node, text(item, "id"), text(item, "state"), _health(item), f"{changed} ago", last]


def _detail(node: str, item: Message) -> list[list[str]]:
    rows = [
        ["NODE", node],
        ["ID", text(item, "id")],
        ["STATE", text(item, "state")],
        ["HEALTH", _health(item)],
    ]
    last = text(child(item, "health"), "last_message")
    if last:
        rows.append(["LAST HEALTH MESSAGE", last])
    label = "EVENTS"
    for event in reversed(children(child(item, "events"), "events")):
        ago = format_ago(child(event, "ts"))
        rows.append([label, f"[{text(event, 'state')}]: {text(event, 'msg')} ({ago} ago)"])
        label = ""
    return rows

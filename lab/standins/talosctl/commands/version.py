"""`version`, and the check of versions that other commands begin with."""

from __future__ import annotations

import os

from lab.standins.talosctl.client import Client
from lab.standins.talosctl.command import Call
from lab.standins.talosctl.commands.console import warn, warn_partly, write
from lab.standins.talosctl.failure import CommandError
from lab.standins.talosctl.proto import Message, child, flag, text

__all__ = ["check_client_version", "show_version"]

_CLIENT_VERSION = "v1.13.9"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def show_version(call: Call) -> None:
    """`version [--client] [--short] [-i] [--json]`."""
    parsed = call.parsed
    if not parsed.is_set("json"):
        write("Client:\n")
        if parsed.is_set("short"):
            write(f"Talos {_CLIENT_VERSION}\n")
        else:
            _write_version(_own_version())
        if parsed.is_set("client"):
            return
        write("Server:\n")
    client = call.open()
    try:
        messages, problem = client.call("Version")
    except CommandError as error:
        raise CommandError(f"error getting version: {error}") from error
    warn_partly(problem)
    for message in messages:
        if parsed.is_set("json"):
            import json  # noqa: PLC0415  a hidden flag

            write(json.dumps(_to_json(message), separators=(",", ":")) + "\n")
            continue
        write(f"\tNODE:        {client.node_of(message)}\n")
        _write_version(child(message, "version"))
        enabled = "RBAC" if flag(child(message, "features"), "rbac") else ""
        write(f"\tEnabled:     {enabled}\n")


def _own_version() -> Message:
    machine = os.uname().machine
    arch = _ARCHITECTURES.get(machine, machine)
    return {
        "tag": _CLIENT_VERSION,
        "sha": "lab",
        "built": "",
        "go_version": "go1.26.8",
        "os": "linux",
        "arch": arch,
    }


def _write_version(version: Message) -> None:
    write(
        f"\tTag:         {text(version, 'tag')}\n"
        f"\tSHA:         {text(version, 'sha')}\n"
        f"\tBuilt:       {text(version, 'built')}\n"
        f"\tGo version:  {text(version, 'go_version')}\n"
        f"\tOS/Arch:     {text(version, 'os')}/{text(version, 'arch')}\n"
    )


def _to_json(message: Message) -> dict[str, object]:
    result: dict[str, object] = {}
    for key, value in message.items():
        head, *tail = key.split("_")
        name = head + "".join(part.title() for part in tail)
        result[name] = _to_json(value) if isinstance(value, dict) else value
    return result


def check_client_version(client: Client) -> None:
    """Warn of nodes older than this client; failures count for nothing here, as in 1.13."""
    try:
        messages, _ = client.call("Version")
    except CommandError:
        return
    own = _order(_CLIENT_VERSION)
    old = [
        f"{text(child(message, 'metadata'), 'hostname')}: server version "
        f"{tag.removeprefix('v')} is older than client version {_CLIENT_VERSION.removeprefix('v')}"
        for message in messages
        if _order(tag := text(child(message, "version"), "tag")) < own
    ]
    if old:
        warn(f"WARNING: {', '.join(old)}")


def _order(tag: str) -> tuple[int, ...]:
    core = tag.removeprefix("v").partition("-")[0]
    return tuple(int(part) if part.isdigit() else 0 for part in core.split("."))

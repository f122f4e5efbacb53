"""`upgrade`: pull, install beside the running system, drain, reboot; or the legacy method.

The flow of Talos 1.13 (`cmd/talosctl/cmd/talos/upgrade.go`): nodes older than its interface make
it fall back to the legacy method, `--legacy` asks for that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime

from lab.standins.talosctl.client import Client
from lab.standins.talosctl.command import Call
from lab.standins.talosctl.commands.console import warn, write
from lab.standins.talosctl.commands.power import (
    REBOOT_MODES,
    drained,
    reboot_nodes,
    upgrade_legacy,
)
from lab.standins.talosctl.commands.version import check_client_version
from lab.standins.talosctl.failure import CommandError, RpcError, SilentError
from lab.standins.talosctl.proto import Message, child, number, text
from lab.standins.talosctl.text import format_table, quote

__all__ = ["upgrade"]

# Numbers of common.ContainerDriver and common.ContainerdNamespace.
_CONTAINERD: Mapping[str, Message] = {
    "system": {"driver": 1, "namespace": 1},
    "cri": {"driver": 1, "namespace": 2},
    "inmem": {"driver": 0, "namespace": 1},
}
_DEPRECATED = ("force", "insecure", "preserve", "stage")
_TAG = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(-.*)?")
# The interface came with v1.13.0-alpha.3, and is promised up to 2.0.
_FIRST, _LAST = (1, 13), (2, 0)


def upgrade(call: Call) -> None:
    """`upgrade -i IMAGE [--drain] [--no-reboot] [-m MODE] [--wait] [--timeout] [--legacy]`."""
    parsed = call.parsed
    for name in _DEPRECATED:
        if parsed.was_given(name):
            warn(
                f"Flag --{name} has been deprecated, legacy flag for MachineService.Upgrade "
                "fallback, to be removed in Talos 1.18"
            )
    waits = any(parsed.is_set(name) for name in ("wait", "debug", "drain"))
    if waits and parsed.is_set("insecure"):
        raise CommandError("cannot use --wait and --insecure together")
    client = call.open_secure()
    if parsed.is_set("legacy"):
        warn(
            "WARNING: Forcing use of legacy upgrade method. This flag is deprecated and will be "
            "removed in Talos 1.18."
        )
        _upgrade_legacy(call)
    elif _serves_lifecycle(client):
        _upgrade(call, client)
    else:
        warn("New upgrade API is not available, falling back to legacy")
        _upgrade_legacy(call)


def _serves_lifecycle(client: Client) -> bool:
    try:
        messages, _ = client.call("Version")
    except CommandError as error:
        raise CommandError(
            f"error checking Talos version compatibility: error getting server versions: {error}"
        ) from error
    found = [_TAG.match(text(child(message, "version"), "tag")) for message in messages]
    return all(m is not None and _FIRST <= (int(m[1]), int(m[2])) < _LAST for m in found)


def _upgrade(call: Call, client: Client) -> None:
    parsed, image = call.parsed, call.parsed.text("image")
    namespace = parsed.text("namespace")
    if namespace not in _CONTAINERD:
        raise CommandError(f"unsupported namespace {quote(namespace)}")
    containerd = _CONTAINERD[namespace]
    _each(
        client, "error pulling upgrade image", lambda node: _pull(client, node, containerd, image)
    )
    _each(client, "error during upgrade", lambda node: _install(client, node, containerd, image))
    if parsed.is_set("no-reboot"):
        return
    with drained(call, client) if parsed.is_set("drain") else nullcontext():
        try:
            reboot_nodes(call, parsed.text("reboot-mode"))
        except SilentError:
            raise
        except CommandError as error:
            raise CommandError(f"error during upgrade: {error}") from error


def _upgrade_legacy(call: Call) -> None:
    parsed = call.parsed
    request: Message = {
        "image": parsed.text("image"),
        "reboot_mode": REBOOT_MODES[parsed.text("reboot-mode")],
        **{name: parsed.is_set(name) for name in ("preserve", "stage", "force")},
    }
    if any(parsed.is_set(name) for name in ("wait", "debug", "drain")):
        upgrade_legacy(call, request)
        return
    client = call.open_maintenance() if parsed.is_set("insecure") else call.open_secure()
    check_client_version(client)
    try:
        messages, problem = client.call("Upgrade", request)
    except CommandError as error:
        raise CommandError(f"error performing upgrade: {error}") from error
    if problem:
        warn(f"WARNING: {problem}")
    rows = [["NODE", "ACK", "STARTED"]]
    rows += [
        [client.node_of(message), text(message, "ack"), f"{datetime.now(UTC)}"]
        for message in messages
    ]
    write(format_table(rows))


def _each(client: Client, prefix: str, act: Callable[[str], None]) -> None:
    errors: list[str] = []
    for node in client.nodes:
        try:
            act(node)
        except RpcError as error:
            errors.append(f"error from node {node}: {error}")
        except CommandError as error:
            errors.append(str(error))
    if errors:
        raise CommandError(f"{prefix}: " + "\n".join(errors))


def _pull(client: Client, node: str, containerd: Message, image: str) -> None:
    request: Message = {"containerd": containerd, "image_ref": image}
    for reply in client.stream("ImagePull", request, node=node):
        if text(reply, "name"):
            warn(f"{node}: pulled image {text(reply, 'name')}")


def _install(client: Client, node: str, containerd: Message, image: str) -> None:
    request: Message = {"containerd": containerd, "source": {"image_name": image}}
    code, last = -1, ""
    for reply in client.stream("LifecycleUpgrade", request, node=node):
        progress = child(reply, "progress")
        if "message" in progress:
            line = f"{node}: {text(progress, 'message')}"
        else:
            # A oneof without a message is the exit code, 0 when even that is absent.
            code = number(progress, "exit_code")
            line = f"{node}: Exit code: {code}"
        if line != last:
            warn(line)
        last = line
    if code:
        warn(f"{node}: upgrade failed with exit code {code}")
        raise CommandError(f"node {node}: upgrade failed with exit code {code}")
    warn(f"{node}: upgrade completed")

"""`upgrade`, the flow of Talos 1.13: pull, install beside the running system, reboot.

Draining is left out (it needs a Kubernetes client): `--drain=false` must be given.
"""

from __future__ import annotations

from collections.abc import Callable

from lab.standins.talosctl.client import Client
from lab.standins.talosctl.command import Call
from lab.standins.talosctl.commands.console import warn
from lab.standins.talosctl.commands.power import reboot_nodes
from lab.standins.talosctl.failure import CommandError, RpcError, SilentError
from lab.standins.talosctl.proto import Message, child, number, text

__all__ = ["upgrade"]

# Numbers of common.ContainerDriver and common.ContainerdNamespace.
_CRI, _NAMESPACES = 1, {"system": 1, "cri": 2}


def upgrade(call: Call) -> None:
    """`upgrade -i IMAGE --drain=false [--no-reboot] [-m MODE] [--wait] [--timeout]`."""
    parsed = call.parsed
    if parsed.is_set("drain") and not parsed.is_set("no-reboot"):
        raise CommandError("draining is not part of the lab's stand-in: use --drain=false")
    client, image = call.open(), parsed.text("image")
    try:
        client.call("Version")
    except CommandError as error:
        raise CommandError(
            f"error checking Talos version compatibility: error getting server versions: {error}"
        ) from error
    containerd: Message = {"driver": _CRI, "namespace": _NAMESPACES[parsed.text("namespace")]}
    _each(
        client, "error pulling upgrade image", lambda node: _pull(client, node, containerd, image)
    )
    _each(client, "error during upgrade", lambda node: _install(client, node, containerd, image))
    if parsed.is_set("no-reboot"):
        return
    try:
        reboot_nodes(call, parsed.text("reboot-mode"))
    except SilentError:
        raise
    except CommandError as error:
        raise CommandError(f"error during upgrade: {error}") from error


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

"""Commands that change or check a machine: `apply-config`, `bootstrap`, `health`."""

from __future__ import annotations

from pathlib import Path

from lab.standins.talosctl.client import Client
from lab.standins.talosctl.command import Call
from lab.standins.talosctl.commands.console import warn, write
from lab.standins.talosctl.failure import CommandError, RpcError
from lab.standins.talosctl.flags import parse_duration_s
from lab.standins.talosctl.proto import Message, child, text, texts

__all__ = ["apply_config", "bootstrap", "check_health", "refuse_disks"]

_MODES = {"reboot": 0, "auto": 1, "no-reboot": 2, "staged": 3, "try": 4}
# The real client sends a snapshot in pieces of this size.
_CHUNK = 4096


def apply_config(call: Call) -> None:
    """`apply-config -f FILE [-i] [-m MODE] [--dry-run] [-p PATCH]`; also `apply machineconfig`."""
    parsed = call.parsed
    if call.words:
        word = call.words[0]
        if word != "config" and word.lower() != "machineconfig":
            raise CommandError(f"unknown positional argument {word}")
        if call.name == "apply-config":
            raise CommandError("expected no positional arguments")
    data = _read_config(parsed.text("file"))
    if parsed.texts("config-patch"):
        data = _patch(data, parsed.texts("config-patch"))
    request: Message = {
        "data": data,
        "mode": _MODES[parsed.text("mode")],
        "dry_run": parsed.is_set("dry-run"),
        "try_mode_timeout": {"seconds": int(parse_duration_s(parsed.text("timeout")))},
    }
    client = call.open()
    try:
        messages, problem = client.call("ApplyConfiguration", request)
    except CommandError as error:
        raise CommandError(f"error applying new configuration: {error}") from error
    if problem:
        raise CommandError(f"error applying new configuration: {problem}")
    for message in messages:
        for warning in texts(message, "warnings"):
            warn(f"WARNING: {warning}")
        if text(message, "mode_details"):
            warn(text(message, "mode_details"))


def _read_config(name: str) -> bytes:
    if not name:
        raise CommandError("no filename supplied for configuration")
    try:
        data = Path(name).read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CommandError(
            f'failed to read configuration from "{name}": open {name}: {reason}'
        ) from error
    if not data:
        raise CommandError("no configuration data read")
    return data


def _patch(data: bytes, patches: list[str]) -> bytes:
    from lab.standins.machineconfig.merge import merge_documents  # noqa: PLC0415  slow, rare
    from lab.standins.machineconfig.yaml_door import (  # noqa: PLC0415  same
        dump_documents,
        load_documents,
    )
    from lab.standins.values import as_map  # noqa: PLC0415  same

    documents = [as_map(item) for item in load_documents(data.decode())]
    for patch in patches:
        source = Path(patch[1:]).read_text() if patch.startswith("@") else patch
        documents = merge_documents(documents, [as_map(item) for item in load_documents(source)])
    return dump_documents([*documents], indent=4).encode()


def bootstrap(call: Call) -> None:
    """`bootstrap [--recover-from FILE]` on one control plane."""
    client = call.open()
    if len(call.target.nodes) > 1:
        raise CommandError('command "bootstrap" is not supported with multiple nodes')
    source = call.parsed.text("recover-from")
    if source:
        _upload(client, Path(source))
    request: Message = {
        "recover_etcd": bool(source),
        "recover_skip_hash_check": call.parsed.is_set("recover-skip-hash-check"),
    }
    try:
        client.call("Bootstrap", request)
    except CommandError as error:
        raise CommandError(f"error executing bootstrap: {error}") from error


def _upload(client: Client, source: Path) -> None:
    from lab.snapshots import DamagedError, read_status  # noqa: PLC0415  only recovery needs it

    try:
        data = source.read_bytes()
        write(f'recovering from snapshot "{source}": {read_status(data).describe()}\n')
    except OSError as error:
        raise CommandError(f"stat {source}: no such file or directory") from error
    except DamagedError as error:
        raise CommandError(f"{error}") from error
    pieces = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]
    try:
        client.send_all("EtcdRecover", [{"bytes": piece} for piece in pieces])
    except RpcError as error:
        raise CommandError(f"error uploading snapshot: {error}") from error


def check_health(call: Call) -> None:
    """`health`, run by the control plane node itself; progress on standard error."""
    parsed = call.parsed
    if not parsed.is_set("server"):
        raise CommandError("health checks of the client are not part of the lab's stand-in")
    client = call.open()
    call.refuse_many(client, "health")
    planes = parsed.texts("control-plane-nodes")
    planes += [parsed.text("init-node")] if parsed.text("init-node") else []
    request: Message = {
        "wait_timeout": {"seconds": int(parse_duration_s(parsed.text("wait-timeout")))},
        "cluster_info": {
            "control_plane_nodes": [*planes],
            "worker_nodes": [*parsed.texts("worker-nodes")],
            "force_endpoint": parsed.text("k8s-endpoint"),
        },
    }
    try:
        for message in client.stream("HealthCheck", request):
            problem = text(child(message, "metadata"), "error")
            if problem:
                raise CommandError(f"healthcheck error: {problem}")
            warn(text(message, "message"))
    except RpcError as error:
        if error.code != "Canceled":
            raise


def refuse_disks(call: Call) -> None:
    """`disks`, which only points elsewhere since Talos 1.9."""
    del call
    raise CommandError(
        "`talosctl disks` is deprecated, please use `talosctl get disks`, `talosctl get "
        "systemdisk`, `talosctl get discoveredvolumes` instead"
    )

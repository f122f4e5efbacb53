"""`config ...`: the client's own configuration file."""

from __future__ import annotations

import base64
import json
import time

from lab.standins.talosctl.command import Call
from lab.standins.talosctl.commands.console import write
from lab.standins.talosctl.failure import CommandError
from lab.standins.talosctl.talosconfig import (
    Context,
    Talosconfig,
    read_talosconfig,
    write_talosconfig,
)
from lab.standins.talosctl.text import format_table

__all__ = ["choose_context", "list_contexts", "set_endpoints", "set_nodes", "show_info"]

_SHOWN_NODES = 3
# dustin/go-humanize's steps, as far as certificates live.
_STEPS = (
    (12 * 30 * 86400, "year"),
    (30 * 86400, "month"),
    (7 * 86400, "week"),
    (86400, "day"),
    (3600, "hour"),
    (60, "minute"),
    (1, "second"),
)


def show_info(call: Call) -> None:
    """`config info [-o json]`."""
    config, context = _open(call)
    roles: list[str] = []
    ttl = not_after = ""
    if context.crt:
        from lab.standins.talosctl.certificates import roles_and_expiry  # noqa: PLC0415  slow

        roles, expiry = roles_and_expiry(base64.b64decode(context.crt))
        ttl = _relate(expiry - time.time())
        not_after = time.strftime("%Y-%m-%d", time.gmtime(expiry))
    name = call.target.context or config.context
    if call.parsed.text("output") == "json":
        info = {
            "context": config.context,
            "nodes": list(context.nodes) or None,
            "endpoints": list(context.endpoints),
            "roles": roles,
            "certTTL": ttl,
            "certNotAfter": not_after,
        }
        write(json.dumps(info, indent=2) + "\n")
        return
    lines = [
        f"Current context:     {name}",
        f"Nodes:               {', '.join(context.nodes) or 'not defined'}",
        f"Endpoints:           {', '.join(context.endpoints) or 'not defined'}",
    ]
    if roles:
        lines.append(f"Roles:               {', '.join(roles)}")
    if ttl:
        lines.append(f"Certificate expires: {ttl} ({not_after})")
    write("\n".join(lines) + "\n")


def list_contexts(call: Call) -> None:
    """`config contexts`."""
    config = read_talosconfig(call.target.talosconfig)
    rows = [["CURRENT", "NAME", "ENDPOINTS", "NODES"]]
    for name, context in sorted(config.contexts.items()):
        more = "..." if len(context.nodes) > _SHOWN_NODES else ""
        rows.append(
            [
                "*" if name == config.context else "",
                name,
                ",".join(context.endpoints),
                ",".join(context.nodes[:_SHOWN_NODES]) + more,
            ]
        )
    write(format_table(rows))


def set_endpoints(call: Call) -> None:
    """`config endpoint IP...`."""
    config, context = _open(call)
    _save(call, config, context._replace(endpoints=tuple(call.words)))


def set_nodes(call: Call) -> None:
    """`config node IP...`."""
    config, context = _open(call)
    _save(call, config, context._replace(nodes=tuple(call.words)))


def choose_context(call: Call) -> None:
    """`config context NAME`."""
    config = read_talosconfig(call.target.talosconfig)
    name = call.words[0]
    if name not in config.contexts:
        raise CommandError(f'context "{name}" is not defined')
    write_talosconfig(config._replace(context=name), call.target.talosconfig)


def _open(call: Call) -> tuple[Talosconfig, Context]:
    config = read_talosconfig(call.target.talosconfig)
    name = call.target.context or config.context
    if not name:
        raise CommandError("no context is set")
    if name not in config.contexts:
        raise CommandError(f'context "{name}" is not defined')
    return config, config.contexts[name]


def _save(call: Call, config: Talosconfig, context: Context) -> None:
    name = call.target.context or config.context
    contexts = {**config.contexts, name: context}
    write_talosconfig(config._replace(contexts=contexts), call.target.talosconfig)


def _relate(seconds: float) -> str:
    # Half a second makes up for the time since the certificate was made.
    size, label = abs(seconds) + 0.5, "from now" if seconds > 0 else "ago"
    for step, unit in _STEPS:
        count = int(size // step)
        if count:
            return f"{count} {unit}{'' if count == 1 else 's'} {label}"
    return "now"

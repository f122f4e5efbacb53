"""The client's configuration file: found, made when missing, read, written."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from lab.standins.talosctl.failure import CommandError

__all__ = ["Context", "Talosconfig", "find_path", "read_talosconfig", "write_talosconfig"]

_EMPTY = 'context: ""\ncontexts: {}\n'
_PAIR = re.compile(r"^( *)([A-Za-z0-9_.-]+): ?(.*)$")
_ITEM = re.compile(r"^( *)- (.+)$")


class Context(NamedTuple):
    """Where a cluster is and how to be let in; certificates as base64 of PEM."""

    endpoints: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    ca: str = ""
    crt: str = ""
    key: str = ""
    cluster: str = ""


class Talosconfig(NamedTuple):
    """All contexts and the name of the current one."""

    context: str = ""
    contexts: Mapping[str, Context] = {}


def find_path(given: str) -> str:
    """The file to use: `--talosconfig`, `$TALOSCONFIG`, `$TALOS_HOME/config`, `~/.talos/config`."""
    if given:
        return given
    if os.environ.get("TALOSCONFIG"):
        return os.environ["TALOSCONFIG"]
    if os.environ.get("TALOS_HOME"):
        return f"{os.environ['TALOS_HOME']}/config"
    return f"{os.environ.get('HOME', '')}/.talos/config"


def read_talosconfig(given: str) -> Talosconfig:
    """Read the file; a missing one is made, as the real tool does.

    Raises:
        CommandError: Worded as talosctl words it.
    """
    path = find_path(given)
    try:
        with open(path) as file:  # noqa: PTH123  pathlib is slow to import
            text = file.read()
    except FileNotFoundError:
        text = _EMPTY
        _write_private(path, text)
    if not text.strip():
        raise CommandError(f'failed to open config file "{given}": EOF')
    tree = _read_simple(text)
    return tree if tree is not None else _read_yaml(text, given)


def write_talosconfig(config: Talosconfig, given: str) -> None:
    """Write the file with mode 0600."""
    lines = [f"context: {config.context or chr(34) * 2}"]
    lines.append("contexts:" if config.contexts else "contexts: {}")
    for name, context in config.contexts.items():
        lines.append(f"    {name}:")
        lines += _list_lines("endpoints", context.endpoints, always=True)
        lines += _list_lines("nodes", context.nodes, always=False)
        for key in ("ca", "crt", "key", "cluster"):
            value = str(getattr(context, key))
            if value:
                lines.append(f"        {key}: {value}")
    _write_private(find_path(given), "\n".join(lines) + "\n")


def _write_private(path: str, text: str) -> None:
    folder = path.rpartition("/")[0]
    if folder:
        os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103  pathlib is slow to import
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def _list_lines(key: str, values: tuple[str, ...], *, always: bool) -> list[str]:
    if not values:
        return [f"        {key}: []"] if always else []
    return [f"        {key}:", *(f"            - {item}" for item in values)]


def _read_simple(text: str) -> Talosconfig | None:
    """Read the form that talosctl and talhelper write; anything else is left to a YAML parser.

    Importing a parser takes as long as the rest of a call.
    """
    current, name, key, indent = "", "", "", 0
    fields: dict[str, dict[str, list[str]]] = {}
    for line in text.splitlines():
        pair, item = _PAIR.match(line), _ITEM.match(line)
        if item and name and key:
            fields[name][key].append(_unquote(item[2]))
        elif pair and not pair[1] and pair[2] == "context":
            current = _unquote(pair[3])
        elif pair and not pair[1] and pair[2] == "contexts":
            continue
        elif pair and pair[1] and not pair[3] and (not name or len(pair[1]) <= indent):
            name, key, indent = pair[2], "", len(pair[1])
            fields[name] = {}
        elif pair and pair[1] and name:
            key = pair[2]
            fields[name][key] = [] if pair[3] in {"", "[]"} else [_unquote(pair[3])]
        elif line.strip():
            return None
    return Talosconfig(current, {name: _make_context(items) for name, items in fields.items()})


def _make_context(items: dict[str, list[str]]) -> Context:
    single = {key: values[0] if values else "" for key, values in items.items()}
    return Context(
        endpoints=tuple(items.get("endpoints", ())),
        nodes=tuple(items.get("nodes", ())),
        ca=single.get("ca", ""),
        crt=single.get("crt", ""),
        key=single.get("key", ""),
        cluster=single.get("cluster", ""),
    )


def _unquote(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _read_yaml(text: str, given: str) -> Talosconfig:
    import yaml  # noqa: PLC0415  slow to import, rarely needed

    from lab.standins.values import as_list, as_map, as_text, from_untyped  # noqa: PLC0415  same

    try:
        root = as_map(from_untyped(yaml.safe_load(text)))
    except yaml.YAMLError as error:
        raise CommandError(f'failed to open config file "{given}": yaml: {error}') from error
    contexts = {
        name: Context(
            endpoints=tuple(as_text(item) for item in as_list(as_map(value).get("endpoints"))),
            nodes=tuple(as_text(item) for item in as_list(as_map(value).get("nodes"))),
            ca=as_text(as_map(value).get("ca")),
            crt=as_text(as_map(value).get("crt")),
            key=as_text(as_map(value).get("key")),
            cluster=as_text(as_map(value).get("cluster")),
        )
        for name, value in as_map(root.get("contexts")).items()
    }
    return Talosconfig(as_text(root.get("context")), contexts)

"""How `get` shows resources: as a table, JSON, YAML, or what a JSONPath finds."""

from __future__ import annotations

import json
from typing import NamedTuple, Protocol, TextIO

from lab.standins.talosctl.failure import CommandError
from lab.standins.talosctl.jsonpath import JsonPath, JsonPathError
from lab.standins.talosctl.proto import Message, child, children, number, text, texts
from lab.standins.talosctl.text import format_table
from lab.standins.values import Json, JsonMap, as_text, from_untyped

__all__ = ["Definition", "Writer", "make_writer"]

_INDENT = 4
_EVENT_MARKS = {"created": "+", "destroyed": "-", "updated": " "}
_MACHINE_CONFIG = "MachineConfigs.config.talos.dev"


class Definition(NamedTuple):
    """A resource type: its full name, the one people read, where it lives, extra columns."""

    kind: str
    display: str
    namespace: str
    columns: tuple[tuple[str, str], ...]


class Writer(Protocol):
    """Where resources go."""

    def begin(self, definition: Definition, *, with_events: bool) -> None:
        """Learn the type."""
        ...

    def add(self, node: str, resource: Message, event: str) -> None:
        """Show one resource; `event` is empty unless watching."""
        ...

    def flush(self) -> None:
        """Write what was held back."""
        ...


def make_writer(output: str, stream: TextIO) -> Writer:
    """Choose by `--output`.

    Raises:
        CommandError: An output that talosctl does not know.
    """
    if output == "table":
        return _Table(stream)
    if output == "json":
        return _JsonObjects(stream)
    if output == "yaml":
        return _Yaml(stream)
    if output.startswith("jsonpath="):
        try:
            return _Found(stream, JsonPath(output.removeprefix("jsonpath=")))
        except JsonPathError as error:
            raise CommandError(f"error parsing jsonpath: {error}") from error
    raise CommandError(f'output format "{output}" is not supported')


class _Table:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rows: list[list[str]] = []
        self._definition = Definition("", "", "", ())
        self._with_events = False

    def begin(self, definition: Definition, *, with_events: bool) -> None:
        self._definition, self._with_events = definition, with_events
        marks = ["*"] if with_events else []
        columns = [name.upper() for name, _ in definition.columns]
        self._rows.append(["NODE", *marks, "NAMESPACE", "TYPE", "ID", "VERSION", *columns])

    def add(self, node: str, resource: Message, event: str) -> None:
        metadata = child(resource, "metadata")
        spec = _read_spec(resource)
        marks = [_EVENT_MARKS[event]] if self._with_events else []
        self._rows.append(
            [
                node,
                *marks,
                text(metadata, "namespace"),
                self._definition.display,
                text(metadata, "id"),
                text(metadata, "version"),
                *(_find_text(path, spec) for _, path in self._definition.columns),
            ]
        )

    def flush(self) -> None:
        self._stream.write(format_table(self._rows))
        self._rows = []


class _JsonObjects:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def begin(self, definition: Definition, *, with_events: bool) -> None:
        pass

    def add(self, node: str, resource: Message, event: str) -> None:
        self._stream.write(_dump_json(_to_json(node, resource, event)) + "\n")

    def flush(self) -> None:
        pass


class _Found:
    def __init__(self, stream: TextIO, path: JsonPath) -> None:
        self._stream, self._path = stream, path

    def begin(self, definition: Definition, *, with_events: bool) -> None:
        pass

    def add(self, node: str, resource: Message, event: str) -> None:
        try:
            results = self._path.find(_to_json(node, resource, event))
        except JsonPathError as error:
            raise CommandError(f"error finding result for jsonpath: {error}") from error
        for item in results:
            shown = _dump_json(item) if isinstance(item, dict | list) else as_text(item)
            self._stream.write(shown + "\n")

    def flush(self) -> None:
        pass


class _Yaml:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._count = 0

    def begin(self, definition: Definition, *, with_events: bool) -> None:
        pass

    def add(self, node: str, resource: Message, event: str) -> None:
        from lab.standins.machineconfig.yaml_door import dump_documents  # noqa: PLC0415  slow

        if self._count:
            self._stream.write("---\n")
        self._count += 1
        self._stream.write(f"node: {node}\n")
        if event:
            self._stream.write(f"event: {event}\n")
        document: JsonMap = {"metadata": _read_metadata(resource), "spec": _read_spec(resource)}
        self._stream.write(dump_documents([document], indent=_INDENT))

    def flush(self) -> None:
        pass


def _to_json(node: str, resource: Message, event: str) -> JsonMap:
    data: JsonMap = {
        "metadata": _read_metadata(resource),
        "node": node,
        "spec": _read_spec(resource),
    }
    return data | {"event": event} if event else data


def _dump_json(value: Json) -> str:
    # Go sorts keys and escapes what could end a script element in HTML.
    written = json.dumps(value, indent=_INDENT, sort_keys=True, ensure_ascii=False)
    for char, escape in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        written = written.replace(char, escape)
    return written


def _read_metadata(resource: Message) -> JsonMap:
    metadata = child(resource, "metadata")
    version = text(metadata, "version")
    result: JsonMap = {
        "namespace": text(metadata, "namespace"),
        "type": text(metadata, "type"),
        "id": text(metadata, "id"),
        "version": _read_plain(version),
        "owner": text(metadata, "owner") or None,
        "phase": text(metadata, "phase"),
        "created": _format_stamp(child(metadata, "created")),
        "updated": _format_stamp(child(metadata, "updated")),
    }
    for key in ("labels", "annotations"):
        pairs: JsonMap = {
            text(item, "key"): _read_plain(text(item, "value")) for item in children(metadata, key)
        }
        if pairs:
            result[key] = pairs
    finalizers = texts(metadata, "finalizers")
    if finalizers:
        result["finalizers"] = list[Json](finalizers)
    return result


def _read_plain(value: str) -> Json:
    # The real one writes these as plain YAML scalars and reads them again: `1` is a number then.
    if value in {"true", "false"}:
        return value == "true"
    return int(value) if value.isdigit() else value


def _format_stamp(stamp: Message) -> str:
    from datetime import UTC, datetime  # noqa: PLC0415  the table needs no dates

    moment = datetime.fromtimestamp(number(stamp, "seconds"), UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _read_spec(resource: Message) -> Json:
    raw = text(child(resource, "spec"), "yaml_spec")
    if text(child(resource, "metadata"), "type") == _MACHINE_CONFIG:
        annotations = children(child(resource, "metadata"), "annotations")
        if not annotations:
            # Old machines send the config itself; it is shown as one text all the same.
            return raw
    if raw.startswith(("{", "[")):
        try:
            return from_untyped(json.loads(raw))
        except ValueError:
            pass
    from lab.standins.machineconfig.yaml_door import load_document  # noqa: PLC0415  slow to import

    return load_document(raw)


def _find_text(path: str, spec: Json) -> str:
    try:
        found = JsonPath(path, allow_missing=True).find(spec)
    except JsonPathError:
        return ""
    return " ".join(
        json.dumps(item, separators=(",", ":")) if isinstance(item, dict | list) else as_text(item)
        for item in found
    )

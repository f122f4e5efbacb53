"""A small protobuf codec: messages to and from mappings, by a schema written as one line of text.

It exists for start-up time: importing protobuf's runtime and generated modules takes longer than
a whole call to a machine. It also makes the stand-in an independent reader of the wire.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias

from lab.varints import read_varint, write_varint

__all__ = [
    "Message",
    "Schema",
    "Value",
    "child",
    "children",
    "decode",
    "encode",
    "flag",
    "number",
    "octets",
    "schema",
    "text",
    "texts",
]

Value: TypeAlias = "bool | int | str | bytes | Message | list[Value]"
Message: TypeAlias = "dict[str, Value]"

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SIGN_BIT = 1 << 63


class _Field(NamedTuple):
    name: str
    number: int
    kind: str  # s text, u unsigned, i signed, ? bool, ! bytes, m message
    repeated: bool
    nested: Schema | None


class Schema(NamedTuple):
    """Fields of a message, by number."""

    fields: Mapping[int, _Field]


def schema(line: str, **nested: Schema) -> Schema:
    """Make a schema of words `name:number` with marks.

    Marks: `u` unsigned, `i` signed, `?` bool, `!` bytes, `*` repeated (last); none is text, or a
    message when `nested` has the name.
    """
    fields: dict[int, _Field] = {}
    for word in line.split():
        name, _, rest = word.partition(":")
        repeated = rest.endswith("*")
        rest = rest.removesuffix("*")
        kind = rest[-1] if rest[-1] in "ui?!" else "s"
        tag = int(rest.rstrip("ui?!"))
        inner = nested.get(name)
        fields[tag] = _Field(name, tag, "m" if inner is not None else kind, repeated, inner)
    return Schema(fields)


def decode(data: bytes, of: Schema) -> Message:
    """Read a message; unknown fields are skipped, missing ones are absent."""
    message: Message = {}
    for tag, wire, raw in _split(data):
        item = of.fields.get(tag)
        if item is None:
            continue
        for value in _read(item, wire, raw):
            if item.repeated:
                kept = message.setdefault(item.name, [])
                if isinstance(kept, list):
                    kept.append(value)
            else:
                message[item.name] = value
    return message


def encode(message: Message, of: Schema) -> bytes:
    """Write a message; values that are protobuf's defaults are left out."""
    out = bytearray()
    for item in of.fields.values():
        value = message.get(item.name)
        if value is None:
            continue
        for single in value if isinstance(value, list) else [value]:
            # An empty message is sent all the same: its presence says something.
            if single or isinstance(value, list | dict):
                out += _write(item, single)
    return bytes(out)


def text(message: Message, name: str) -> str:
    """A text field, `""` when absent."""
    value = message.get(name, "")
    return value if isinstance(value, str) else ""


def number(message: Message, name: str) -> int:
    """A numeric field, 0 when absent."""
    value = message.get(name, 0)
    return value if isinstance(value, int) else 0


def flag(message: Message, name: str) -> bool:
    """A boolean field, false when absent."""
    return message.get(name) is True


def octets(message: Message, name: str) -> bytes:
    """A bytes field, empty when absent."""
    value = message.get(name, b"")
    return value if isinstance(value, bytes) else b""


def child(message: Message, name: str) -> Message:
    """A message field, empty when absent."""
    value = message.get(name)
    return value if isinstance(value, dict) else {}


def children(message: Message, name: str) -> list[Message]:
    """A repeated message field."""
    value = message.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def texts(message: Message, name: str) -> list[str]:
    """A repeated text field."""
    value = message.get(name)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _split(data: bytes) -> Iterator[tuple[int, int, bytes | int]]:
    position = 0
    while position < len(data):
        key, position = read_varint(data, position)
        tag, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, position = read_varint(data, position)
            yield tag, wire, value
        elif wire == _BYTES:
            size, position = read_varint(data, position)
            yield tag, wire, data[position : position + size]
            position += size
        else:
            size = 8 if wire == _FIXED64 else 4
            yield tag, wire, data[position : position + size]
            position += size


def _read(item: _Field, wire: int, raw: bytes | int) -> Iterator[Value]:
    if isinstance(raw, int):
        yield _convert(item.kind, raw)
    elif item.nested is not None:
        yield decode(raw, item.nested)
    elif item.kind == "!":
        yield raw
    elif item.kind == "s":
        yield raw.decode("utf-8", "replace")
    elif wire == _BYTES:
        # Packed repeated numbers.
        position = 0
        while position < len(raw):
            value, position = read_varint(raw, position)
            yield _convert(item.kind, value)
    else:
        yield int.from_bytes(raw, "little")


def _convert(kind: str, value: int) -> Value:
    if kind == "?":
        return value != 0
    if kind == "i" and value & _SIGN_BIT:
        return value - (1 << 64)
    return value


def _write(item: _Field, value: Value) -> bytes:
    if isinstance(value, dict):
        raw = encode(value, item.nested or Schema({}))
    elif isinstance(value, str):
        raw = value.encode()
    elif isinstance(value, bytes):
        raw = value
    elif isinstance(value, int):
        return write_varint(item.number << 3) + write_varint(int(value) & ((1 << 64) - 1))
    else:
        message = f"not a field value: `{type(value).__name__}`"
        raise TypeError(message)
    return write_varint(item.number << 3 | _BYTES) + write_varint(len(raw)) + raw

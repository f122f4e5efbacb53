"""Protobuf's variable-length numbers: seven bits a byte, the lowest first."""

from __future__ import annotations

__all__ = ["read_varint", "write_varint"]

_MORE = 0x80  # marks every byte but the last


def write_varint(value: int) -> bytes:
    """Write a number that is not negative."""
    out = bytearray()
    while value >= _MORE:
        out.append(value & 0x7F | _MORE)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """Read a number; return it and the position behind it.

    Raises:
        IndexError: the data ends first.
    """
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < _MORE:
            return value, position
        shift += 7

"""`meta write` and `meta delete`: the keys of the META partition."""

from __future__ import annotations

from lab.standins.talosctl.command import Call
from lab.standins.talosctl.failure import CommandError
from lab.standins.talosctl.text import quote

__all__ = ["delete_key", "write_key"]

_LARGEST = 255


def write_key(call: Call) -> None:
    """`meta write KEY VALUE [-i]`."""
    key = _read_key(call.words[0])
    call.open().call("MetaWrite", {"key": key, "value": call.words[1].encode()})


def delete_key(call: Call) -> None:
    """`meta delete KEY [-i]`."""
    call.open().call("MetaDelete", {"key": _read_key(call.words[0])})


def _read_key(word: str) -> int:
    try:
        key = int(word, 0)
    except ValueError as error:
        raise _refuse(word, "invalid syntax") from error
    if not 0 <= key <= _LARGEST:
        raise _refuse(word, "invalid syntax" if key < 0 else "value out of range")
    return key


def _refuse(word: str, reason: str) -> CommandError:
    return CommandError(f"strconv.ParseUint: parsing {quote(word)}: {reason}")

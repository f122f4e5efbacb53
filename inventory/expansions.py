"""What the operators of a `${...}` reference do to a value; fluxcd/pkg `envsubst/funcs.go`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_MAX_TRIMMED = 4096  # trimming tries every length; no variable is longer


def _substring(value: str, arguments: list[str]) -> str:
    try:
        start = int(arguments[0])
        length = int(arguments[1]) if len(arguments) > 1 else None
    except ValueError:
        return value
    if start < 0:
        start = max(len(value) + start, 0)
    if length is None or start + length >= len(value):
        return value[start:]
    return value[start : start + length] if length >= 0 else ""


def _replace(value: str, arguments: list[str], count: int) -> str:
    old, new = arguments[0], arguments[1] if len(arguments) > 1 else ""
    return value.replace(old, new, count)


def _replace_prefix(value: str, arguments: list[str]) -> str:
    is_complete = len(arguments) > 1 and value.startswith(arguments[0])
    return arguments[1] + value[len(arguments[0]) :] if is_complete else value


def _replace_suffix(value: str, arguments: list[str]) -> str:
    is_complete = len(arguments) > 1 and value.endswith(arguments[0])
    return value[: len(value) - len(arguments[0])] + arguments[1] if is_complete else value


def _trim(value: str, arguments: list[str], *, longest: bool, suffix: bool) -> str:
    pattern = _glob(arguments[0])
    if pattern is None or len(value) > _MAX_TRIMMED:
        return value
    lengths = range(len(value), 0, -1) if longest else range(1, len(value) + 1)
    for length in lengths:
        part = value[len(value) - length :] if suffix else value[:length]
        if pattern.fullmatch(part):
            return value[: len(value) - length] if suffix else value[length:]
    return value


def _glob(pattern: str) -> re.Pattern[str] | None:
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if character == "*":
            parts.append(".*")
        elif character == "?":
            parts.append(".")
        elif character == "[":
            end = pattern.find("]", position + 1)
            if end < 0:
                return None
            parts.append("[" + pattern[position:end].replace("[", "\\[") + "]")
            position = end + 1
        elif character == "\\" and position < len(pattern):
            parts.append(re.escape(pattern[position]))
            position += 1
        else:
            parts.append(re.escape(character))
    try:
        return re.compile("".join(parts), re.DOTALL)
    except re.error:
        return None


FUNCTIONS: Final[dict[str, Callable[[str, list[str]], str]]] = {
    ",": lambda value, _: value[:1].lower() + value[1:],
    ",,": lambda value, _: value.lower(),
    "^": lambda value, _: value[:1].upper() + value[1:],
    "^^": lambda value, _: value.upper(),
    "#": lambda value, arguments: _trim(value, arguments, longest=False, suffix=False),
    "##": lambda value, arguments: _trim(value, arguments, longest=True, suffix=False),
    "%": lambda value, arguments: _trim(value, arguments, longest=False, suffix=True),
    "%%": lambda value, arguments: _trim(value, arguments, longest=True, suffix=True),
    ":": _substring,
    "/": lambda value, arguments: _replace(value, arguments, 1),
    "//": lambda value, arguments: _replace(value, arguments, -1),
    "/#": _replace_prefix,
    "/%": _replace_suffix,
}

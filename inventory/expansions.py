"""What the operators of a `${...}` reference do to a value; fluxcd/pkg `envsubst/funcs.go`."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

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
    glob = _read_glob(arguments[0])
    if glob is None or len(value) > _MAX_TRIMMED:
        return value
    text = value[::-1] if suffix else value
    lengths = list(glob.lengths(text, is_reversed=suffix))
    if not lengths:
        return value
    length = max(lengths) if longest else min(lengths)
    return value[: len(value) - length] if suffix else value[length:]


class _Glob(NamedTuple):
    """A pattern as one entry for each character or `*` that it holds."""

    parts: tuple[re.Pattern[str] | None, ...]  # None is `*`

    def lengths(self, text: str, *, is_reversed: bool) -> Iterator[int]:
        """Yield every length above zero of a start of `text` that fits.

        All ways through the pattern are followed at once, one bit each, so that the time grows
        with the text and never with the ways.
        """
        parts = self.parts[::-1] if is_reversed else self.parts
        stars = sum(1 << index for index, part in enumerate(parts) if part is None)
        fits: dict[str, int] = {}
        for character in set(text):
            here = (index for index, part in enumerate(parts) if part and part.match(character))
            fits[character] = sum(1 << index for index in here)
        end = 1 << len(parts)
        now = 1 | (1 & stars) << 1
        for length, character in enumerate(text, 1):
            now = (now & fits[character]) << 1 | now & stars
            now |= (now & stars) << 1  # two stars never follow each other
            if now & end:
                yield length
            if not now:
                return


def _read_glob(pattern: str) -> _Glob | None:
    parts: list[re.Pattern[str] | None] = []
    position = 0
    try:
        while position < len(pattern):
            character = pattern[position]
            position += 1
            if character == "*":
                if not parts or parts[-1] is not None:
                    parts.append(None)
                continue
            text = "." if character == "?" else re.escape(character)
            if character == "[":
                end = pattern.find("]", position + 1)
                if end < 0:
                    return None
                text = "[" + pattern[position:end].replace("[", "\\[") + "]"
                position = end + 1
            elif character == "\\" and position < len(pattern):
                text = re.escape(pattern[position])
                position += 1
            parts.append(_compile(text))
    except re.error:
        return None
    return _Glob(tuple(parts))


def _compile(text: str) -> re.Pattern[str]:
    with warnings.catch_warnings():  # that sets may mean more in later versions of Python
        warnings.simplefilter("ignore", FutureWarning)
        return re.compile(text, re.DOTALL)


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

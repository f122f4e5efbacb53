"""Read YAML as Kubernetes' Go tools do, with positions, and survive whatever a file holds.

Built on libyaml's event stream: composing nodes in C recurses without a limit and takes the whole
process down on `[[[[...`. Scalars follow Go's yaml.v3: booleans are true and false only, no dates,
no base 60; duplicate keys are errors. https://github.com/go-yaml/yaml/blob/v3/resolve.go
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, cast

import yaml

from inventory.model import Json, Position

MAX_DEPTH = 200  # CRD schemas reach about 60 levels
MAX_NODES = 2_000_000  # after aliases are followed; a 100,000-line file has about 300,000

_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_SUSPICIOUS = frozenset(("", *"~nNtTfF0123456789+-."))  # first letters of anything but text
_INTEGER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_MAX_INTEGER_TEXT = 80  # longer than any 64-bit integer in base 2


class YamlProblem(NamedTuple):
    """Why a text is not what Kubernetes would read; line and column from 1."""

    message: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document of a file; `text` is the whole file, kept to find positions later."""

    path: str
    index: int
    value: Json
    line: int
    column: int
    text: str = field(repr=False, compare=False)

    @property
    def position(self) -> Position:
        """Where the document's content starts."""
        return Position(self.path, self.line, self.column)

    def locate(self, *keys: str | int) -> Position:
        """Return the place of the value under `keys`, or of the deepest parent that exists."""
        line, column = locate(self.text, self.index, keys)
        return Position(self.path, line, column)

    def locate_items(self, *keys: str | int) -> list[Position]:
        """Return the place of every item of the list under `keys`, reading the text once."""
        return [Position(self.path, *place) for place in locate_items(self.text, self.index, keys)]


class _Mark(Protocol):
    line: int
    column: int


class _Event(Protocol):
    """The attributes of PyYAML's events that are used here, with types."""

    start_mark: _Mark
    anchor: str | None
    tag: str | None
    value: str
    implicit: tuple[bool, bool]


def _is(event: _Event, *kinds: type[yaml.Event]) -> bool:
    """Narrow by hand: PyYAML's stubs leave the attributes of events untyped."""
    return isinstance(event, kinds)


class _Refused(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, message: str, mark: _Mark) -> None:
        self.problem = YamlProblem(message, mark.line + 1, mark.column + 1)


def parse_documents(path: str, text: str) -> tuple[list[Document], list[YamlProblem]]:
    """Read every document of `text` that has content.

    Never raises for bad input: what cannot be read becomes a problem, and the documents before it
    are returned.
    """
    documents: list[Document] = []
    try:
        loader = yaml.CSafeLoader(text)
    except (yaml.YAMLError, UnicodeError) as error:
        return [], [_problem_of(error)]
    builder = _Builder(cast("Callable[[], _Event | None]", loader.get_event))
    try:
        for index, value, mark in builder.documents():
            if value is not None:
                documents.append(Document(path, index, value, mark.line + 1, mark.column + 1, text))
    except _Refused as refused:
        builder.problems.append(refused.problem)
    except (yaml.YAMLError, UnicodeError) as error:
        builder.problems.append(_problem_of(error))
    finally:
        loader.dispose()
    return documents, builder.problems


def resolve_scalar(text: str) -> Json:
    """Return what an unquoted scalar means to Go's yaml.v3."""
    if text[:1] not in _SUSPICIOUS:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    plain = text.replace("_", "")
    if _INTEGER.match(plain) and len(plain) <= _MAX_INTEGER_TEXT:
        return _integer(plain)
    if _FLOAT.match(plain):
        number = float(plain)
        return text if number in (float("inf"), float("-inf")) else number
    return text


def locate(text: str, index: int, keys: tuple[str | int, ...]) -> tuple[int, int]:
    """Return line and column (from 1) of a value in document `index` of `text`.

    The deepest existing parent answers when the value is absent, the start of
    the text when nothing can be read.
    """
    finder = _Finder(text)
    with contextlib.suppress(yaml.YAMLError, UnicodeError, _Refused):
        finder.find(index, keys)
    return finder.line, finder.column


def locate_items(text: str, index: int, keys: tuple[str | int, ...]) -> list[tuple[int, int]]:
    """Return line and column (from 1) of every item of a list; none when there is no list."""
    finder = _Finder(text)
    try:
        finder.find(index, keys)
        return finder.items()
    except (yaml.YAMLError, UnicodeError, _Refused):
        return []


def _integer(plain: str) -> Json:
    sign = -1 if plain[0] == "-" else 1
    digits = plain.lstrip("+-")
    prefix = digits[:2].lower()
    if prefix in ("0x", "0b", "0o"):
        number = int(digits[2:], {"0x": 16, "0b": 2, "0o": 8}[prefix])
    elif digits[0] == "0" and len(digits) > 1:
        number = int(digits, 8)
    else:
        number = int(digits)
    if not -(2**63) <= sign * number < 2**64:
        return float(sign * number)
    return sign * number


def _problem_of(error: Exception) -> YamlProblem:
    mark = getattr(error, "problem_mark", None)
    message = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    return YamlProblem(str(message).splitlines()[0], line, column)


class _Builder:
    """Turns one event stream into values; one instance a text."""

    def __init__(self, next_event: Callable[[], _Event | None]) -> None:
        self.problems: list[YamlProblem] = []
        self._next = next_event
        self._anchors: dict[str, tuple[Json, int]] = {}
        self._nodes = 0

    def documents(self) -> Iterator[tuple[int, Json, _Mark]]:
        index = 0
        while (event := self._next()) is not None:
            if _is(event, yaml.DocumentStartEvent):
                self._anchors.clear()
                first = self._take()
                yield index, self._value(first, 0), first.start_mark
                index += 1

    def _take(self) -> _Event:
        event = self._next()
        if event is None:
            raise yaml.YAMLError("unexpected end of the text")
        return event

    def _value(self, event: _Event, depth: int) -> Json:
        kind: object = type(event)
        self._nodes += 1
        before = self._nodes
        value: Json
        if kind is yaml.ScalarEvent:
            value = resolve_scalar(event.value) if event.implicit[0] else _tagged(event)
        elif kind is yaml.AliasEvent:
            return self._alias(event)
        elif depth >= MAX_DEPTH:
            raise _Refused(f"nested more than {MAX_DEPTH} levels deep", event.start_mark)
        elif kind is yaml.MappingStartEvent:
            value = self._mapping(depth + 1)
        else:
            value = self._sequence(depth + 1)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._nodes - before + 1)
        return value

    def _alias(self, event: _Event) -> Json:
        known = self._anchors.get(event.anchor or "")
        if known is None:
            raise _Refused(f"unknown anchor: `{event.anchor}`", event.start_mark)
        self._nodes += known[1]
        if self._nodes > MAX_NODES:
            raise _Refused("document is too large once its aliases are followed", event.start_mark)
        return known[0]

    def _sequence(self, depth: int) -> Json:
        items: list[Json] = []
        while True:
            event = self._take()
            kind: object = type(event)
            if kind is yaml.SequenceEndEvent:
                return items
            items.append(self._value(event, depth))

    def _mapping(self, depth: int) -> Json:
        found: dict[str, Json] = {}
        merged: list[Json] = []
        take = self._take
        while True:
            event = take()
            kind: object = type(event)
            if kind is yaml.MappingEndEvent:
                break
            if kind is yaml.ScalarEvent and event.anchor is None:
                key = event.value
            else:
                key = self._key(event, depth)
            value = self._value(take(), depth)
            if key == "<<" and event.implicit[0]:
                merged.append(value)
                continue
            if key in found:
                mark = event.start_mark
                self.problems.append(
                    YamlProblem(f"duplicate key: `{key}`", mark.line + 1, mark.column + 1)
                )
            found[key] = value
        return _merge(found, merged) if merged else found

    def _key(self, event: _Event, depth: int) -> str:
        if _is(event, yaml.ScalarEvent):
            self._nodes += 1
            if event.anchor is not None:
                self._anchors[event.anchor] = (event.value, 1)
            return event.value
        value = self._value(event, depth)
        if not isinstance(value, str):
            raise _Refused("mapping key is not a scalar", event.start_mark)
        return value


def _tagged(event: _Event) -> Json:
    """Return a quoted or tagged scalar."""
    if event.tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:bool"):
        return resolve_scalar(event.value)
    if event.tag == "tag:yaml.org,2002:null":
        return None
    return event.value


def _merge(own: dict[str, Json], merged: list[Json]) -> dict[str, Json]:
    result: dict[str, Json] = {}
    for value in merged:
        parts = value if isinstance(value, list) else [value]
        for part in reversed(parts):
            if isinstance(part, dict):
                result.update(part)
    result.update(own)
    return result


class _Finder:
    """Walks the events of a text towards one value, remembering how far it came."""

    def __init__(self, text: str) -> None:
        self.line = 1
        self.column = 1
        self._last: _Event | None = None
        self._loader = yaml.CSafeLoader(text)

    def find(self, index: int, keys: tuple[str | int, ...]) -> None:
        """Move `line` and `column` to the value under `keys` of document `index`."""
        while (event := self._next()) is not None:
            if _is(event, yaml.DocumentStartEvent):
                if index == 0:
                    self._descend(keys)
                    return
                index -= 1

    def items(self) -> list[tuple[int, int]]:
        """Return the places of the items of the list that `find` came to."""
        places: list[tuple[int, int]] = []
        if self._last is None or not _is(self._last, yaml.SequenceStartEvent):
            return places
        while not _is(event := self._take(), yaml.SequenceEndEvent):
            places.append((event.start_mark.line + 1, event.start_mark.column + 1))
            self._skip(event)
        return places

    def _next(self) -> _Event | None:
        return cast("_Event | None", self._loader.get_event())

    def _take(self) -> _Event:
        event = self._next()
        if event is None:
            raise yaml.YAMLError("unexpected end of the text")
        return event

    def _descend(self, keys: tuple[str | int, ...]) -> None:
        event = self._take()
        self._here(event)
        for key in keys:
            if _is(event, yaml.MappingStartEvent):
                found = self._find_key(str(key))
            elif _is(event, yaml.SequenceStartEvent) and isinstance(key, int):
                found = self._find_item(key)
            else:
                return
            if found is None:
                return
            event = found
            self._here(event)

    def _here(self, event: _Event) -> None:
        self._last = event
        self.line, self.column = event.start_mark.line + 1, event.start_mark.column + 1

    def _find_key(self, wanted: str) -> _Event | None:
        while not _is(event := self._take(), yaml.MappingEndEvent):
            is_wanted = _is(event, yaml.ScalarEvent) and event.value == wanted
            self._skip(event)
            value = self._take()
            if is_wanted:
                return value
            self._skip(value)
        return None

    def _find_item(self, wanted: int) -> _Event | None:
        position = 0
        while not _is(event := self._take(), yaml.SequenceEndEvent):
            if position == wanted:
                return event
            self._skip(event)
            position += 1
        return None

    def _skip(self, event: _Event) -> None:
        depth = 0
        while True:
            if _is(event, yaml.MappingStartEvent, yaml.SequenceStartEvent):
                depth += 1
            elif _is(event, yaml.MappingEndEvent, yaml.SequenceEndEvent):
                depth -= 1
            if depth <= 0:
                return
            event = self._take()

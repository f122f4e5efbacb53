"""Find values in YAML text again, by the keys that lead to them.

Positions are needed for findings only, so they are looked up then instead of kept for every value.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import NoneType
from typing import Final, NamedTuple, cast

import yaml

from inventory.events import Event, Refused, is_kind

# Reading a text again for each value costs the square of its length where much is wrong with it,
# so a longer one is read once; most files are shorter, and few of their values are looked up.
_LONG_TEXT = 20_000
_FEW = 3  # look-ups of a shorter text that cost less than to read all of it and keep its places
_MAX_DEPTH = 200  # as in `documents`
_OPENING: Final[frozenset[type]] = frozenset({yaml.MappingStartEvent, yaml.SequenceStartEvent})
_CLOSING: Final[frozenset[type]] = frozenset({yaml.MappingEndEvent, yaml.SequenceEndEvent})


def locate(text: str, index: int, keys: tuple[str | int, ...]) -> tuple[int, int]:
    """Return line and column (from 1) of a value in document `index` of `text`.

    The deepest existing parent answers when the value is absent, the start of
    the text when nothing can be read.
    """
    if len(text) > _LONG_TEXT:
        return _look_up(_read_long_places(text), index, keys)
    looked_up = _count(text)
    looked_up[0] += 1
    if looked_up[0] > _FEW:
        return _look_up(_read_places(text), index, keys)
    finder = Finder(text)
    with contextlib.suppress(yaml.YAMLError, UnicodeError, Refused):
        finder.find(index, keys)
    return finder.line, finder.column


def locate_items(text: str, index: int, keys: tuple[str | int, ...]) -> list[tuple[int, int]]:
    """Return line and column (from 1) of every item of a list; none when there is no list."""
    finder = Finder(text)
    try:
        finder.find(index, keys)
        return finder.items()
    except (yaml.YAMLError, UnicodeError, Refused):
        return []


class _Place(NamedTuple):
    """Where a value stands, and what lies in it."""

    line: int
    column: int
    inner: Mapping[str, _Place] | Sequence[_Place] | None = None


def _look_up(places: Sequence[_Place], index: int, keys: tuple[str | int, ...]) -> tuple[int, int]:
    if index >= len(places):
        return 1, 1
    place = places[index]
    for key in keys:
        inner, found = place.inner, None
        if isinstance(inner, Mapping):
            found = inner.get(str(key))
        elif inner is not None and isinstance(key, int) and key < len(inner):
            found = inner[key]
        if found is None:
            break
        place = found
    return place.line, place.column


@lru_cache(maxsize=256)
def _count(text: str) -> list[int]:  # noqa: ARG001 - the key of the cache
    """Return how often values of a text have been looked up; the caller counts."""
    return [0]


@lru_cache(maxsize=2)
def _read_long_places(text: str) -> tuple[_Place, ...]:
    return _read_all(text)


@lru_cache(maxsize=16)
def _read_places(text: str) -> tuple[_Place, ...]:
    return _read_all(text)


def _read_all(text: str) -> tuple[_Place, ...]:
    """Return the places of every document, as far as the text can be read."""
    finder = Finder(text)
    places: list[_Place] = []
    with contextlib.suppress(yaml.YAMLError, UnicodeError, Refused):
        finder.read_all(places)
    return tuple(places)


def read_scalar(text: str, keys: tuple[str | int, ...]) -> str:
    """Return the scalar under `keys` of the first document as text, reading no further than it.

    Empty when there is none. Much cheaper than parsing a CRD, whose schema comes after its names.
    """
    finder = Finder(text)
    with contextlib.suppress(yaml.YAMLError, UnicodeError, Refused):
        return finder.scalar(keys)
    return ""


class Finder:
    """Walks the events of a text towards one value, remembering how far it came."""

    def __init__(self, text: str) -> None:
        self.line = 1
        self.column = 1
        self._last: Event | None = None
        self._is_complete = False
        self._loader = yaml.CSafeLoader(text)

    def find(self, index: int, keys: tuple[str | int, ...]) -> None:
        """Move `line` and `column` to the value under `keys` of document `index`."""
        while (event := self._next()) is not None:
            if is_kind(event, yaml.DocumentStartEvent):
                if index == 0:
                    self._descend(keys)
                    return
                index -= 1

    def items(self) -> list[tuple[int, int]]:
        """Return the places of the items of the list that `find` came to."""
        places: list[tuple[int, int]] = []
        if self._last is None or not is_kind(self._last, yaml.SequenceStartEvent):
            return places
        while not is_kind(event := self._take(), yaml.SequenceEndEvent):
            places.append((event.start_mark.line + 1, event.start_mark.column + 1))
            self._skip(event)
        return places

    def scalar(self, keys: tuple[str | int, ...]) -> str:
        """Return the scalar under `keys` of the first document; empty when there is none."""
        self.find(0, keys)
        found = self._last
        is_found = self._is_complete and found is not None and is_kind(found, yaml.ScalarEvent)
        return found.value if is_found and found is not None else ""

    def read_all(self, places: list[_Place]) -> None:
        """Add the place of every document that follows."""
        while (event := self._next()) is not None:
            if is_kind(event, yaml.DocumentStartEvent):
                places.append(self._place(self._take(), 0))

    def _place(self, event: Event, depth: int) -> _Place:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if depth > _MAX_DEPTH:
            raise yaml.YAMLError("nested too deep")
        if is_kind(event, yaml.MappingStartEvent):
            found: dict[str, _Place] = {}
            while not is_kind(key := self._take(), yaml.MappingEndEvent):
                name = key.value if is_kind(key, yaml.ScalarEvent) else None
                self._skip(key)
                value = self._place(self._take(), depth + 1)
                if name is not None:
                    found.setdefault(name, value)
            return _Place(line, column, found)
        if is_kind(event, yaml.SequenceStartEvent):
            items: list[_Place] = []
            while not is_kind(item := self._take(), yaml.SequenceEndEvent):
                items.append(self._place(item, depth + 1))
            return _Place(line, column, items)
        return _Place(line, column)

    def _next(self) -> Event | None:
        return cast("Event | None", self._loader.get_event())

    def _take(self) -> Event:
        event = self._next()
        if event is None:
            raise yaml.YAMLError("unexpected end of the text")
        return event

    def _descend(self, keys: tuple[str | int, ...]) -> None:
        event = self._take()
        self._here(event)
        for key in keys:
            if is_kind(event, yaml.MappingStartEvent):
                found = self._find_key(str(key))
            elif is_kind(event, yaml.SequenceStartEvent) and isinstance(key, int):
                found = self._find_item(key)
            else:
                return
            if found is None:
                return
            event = found
            self._here(event)
        self._is_complete = True

    def _here(self, event: Event) -> None:
        self._last = event
        self.line, self.column = event.start_mark.line + 1, event.start_mark.column + 1

    def _find_key(self, wanted: str) -> Event | None:
        while not is_kind(event := self._take(), yaml.MappingEndEvent):
            is_wanted = is_kind(event, yaml.ScalarEvent) and event.value == wanted
            self._skip(event)
            value = self._take()
            if is_wanted:
                return value
            self._skip(value)
        return None

    def _find_item(self, wanted: int) -> Event | None:
        position = 0
        while not is_kind(event := self._take(), yaml.SequenceEndEvent):
            if position == wanted:
                return event
            self._skip(event)
            position += 1
        return None

    def _skip(self, event: Event) -> None:
        """Move to the end of what the event begins; the hot loop of all searching."""
        if type(event) not in _OPENING:
            return
        depth = 1
        take = self._loader.get_event
        while depth:
            kind = type(take())
            if kind in _OPENING:
                depth += 1
            elif kind in _CLOSING:
                depth -= 1
            elif kind is NoneType:
                raise yaml.YAMLError("unexpected end of the text")

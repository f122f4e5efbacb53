"""Read YAML as Kubernetes' Go tools do, with positions, and survive whatever a file holds.

Built on libyaml's event stream: composing nodes in C recurses without a limit and takes the whole
process down on `[[[[...`. Scalars follow Go's yaml.v3: booleans are true and false only, no dates,
no base 60; duplicate keys are errors. https://github.com/go-yaml/yaml/blob/v3/resolve.go
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn, cast

import yaml

from inventory.events import Event, Mark, Refused, YamlProblem, is_kind
from inventory.model import Json, Position
from inventory.places import locate, locate_items
from inventory.scalars import is_other_key, resolve_scalar

MAX_DEPTH = 200  # CRD schemas reach about 60 levels
MAX_NODES = 2_000_000  # after aliases are followed; a 100,000-line file has about 300,000


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document of a file.

    Attributes:
        text: The whole file, kept to find positions later.
        other_keys: Unquoted keys that are numbers, booleans, null or dates.
    """

    path: str
    index: int
    value: Json
    line: int
    column: int
    text: str = field(repr=False, compare=False)
    other_keys: tuple[tuple[Position, str], ...] = field(default=(), repr=False, compare=False)

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


def parse_documents(
    path: str, text: str, resolve: Callable[[str], Json] = resolve_scalar
) -> tuple[list[Document], list[YamlProblem]]:
    """Read every document of `text` that has content.

    Never raises for bad input: what cannot be read becomes a problem, and the documents before it
    are returned.

    Args:
        path: The file, for positions.
        text: Its content.
        resolve: What an unquoted scalar means.
    """
    documents: list[Document] = []
    try:
        loader = yaml.CSafeLoader(text)
    except (yaml.YAMLError, UnicodeError) as error:
        return [], [_problem_of(error)]
    builder = _Builder(cast("Callable[[], Event | None]", loader.get_event), resolve)
    try:
        for index, value, mark in builder.documents():
            if value is not None:
                others = tuple(
                    (Position(path, where.line + 1, where.column + 1), key)
                    for where, key in builder.other_keys
                )
                line, column = mark.line + 1, mark.column + 1
                documents.append(Document(path, index, value, line, column, text, others))
    except Refused as refused:
        builder.problems.append(refused.problem)
    except (yaml.YAMLError, UnicodeError) as error:
        builder.problems.append(_problem_of(error))
    finally:
        loader.dispose()
    return documents, builder.problems


def _problem_of(error: Exception) -> YamlProblem:
    mark = getattr(error, "problem_mark", None)
    message = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    return YamlProblem(str(message).splitlines()[0], line, column)


class _Builder:
    """Turns one event stream into values; one instance a text."""

    def __init__(
        self, next_event: Callable[[], Event | None], resolve: Callable[[str], Json]
    ) -> None:
        self.problems: list[YamlProblem] = []
        self.other_keys: list[tuple[Mark, str]] = []
        self._next = next_event
        self._resolve = resolve
        self._anchors: dict[str, tuple[Json, int]] = {}
        self._nodes = 0

    def documents(self) -> Iterator[tuple[int, Json, Mark]]:
        index = 0
        while (event := self._next()) is not None:
            if is_kind(event, yaml.DocumentStartEvent):
                self._anchors.clear()
                self.other_keys.clear()
                first = self._take()
                yield index, self._value(first, 0), first.start_mark
                index += 1

    def _take(self) -> Event:
        return self._next() or self._end()

    def _value(self, event: Event, depth: int) -> Json:
        kind: object = type(event)
        self._nodes += 1
        before = self._nodes
        value: Json
        if kind is yaml.ScalarEvent:
            value = self._resolve(event.value) if event.implicit[0] else _tagged(event)
        elif kind is yaml.AliasEvent:
            return self._alias(event)
        elif depth >= MAX_DEPTH:
            raise Refused(f"nested more than {MAX_DEPTH} levels deep", event.start_mark)
        elif kind is yaml.MappingStartEvent:
            value = self._mapping(depth + 1)
        else:
            value = self._sequence(depth + 1)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._nodes - before + 1)
        return value

    def _alias(self, event: Event) -> Json:
        known = self._anchors.get(event.anchor or "")
        if known is None:
            raise Refused(f"unknown anchor: `{event.anchor}`", event.start_mark)
        self._nodes += known[1]
        if self._nodes > MAX_NODES:
            raise Refused("document is too large once its aliases are followed", event.start_mark)
        return known[0]

    def _sequence(self, depth: int) -> list[Json]:
        items: list[Json] = []
        take = self._next
        while True:
            event = take()
            kind: object = type(event)
            if kind is yaml.SequenceEndEvent:
                return items
            items.append(self._value(event or self._end(), depth))

    def _mapping(self, depth: int) -> dict[str, Json]:
        found: dict[str, Json] = {}
        merged: list[Json] = []
        take, resolve = self._next, self._resolve
        while True:
            event = take() or self._end()
            kind: object = type(event)
            if kind is yaml.MappingEndEvent:
                break
            if kind is yaml.ScalarEvent and event.anchor is None:
                key = event.value
                if is_other_key(key) and event.implicit[0]:
                    self.other_keys.append((event.start_mark, key))
            else:
                key = self._key(event, depth)
            inner = take() or self._end()
            inner_kind: object = type(inner)
            if inner_kind is yaml.ScalarEvent and inner.anchor is None:  # three values of four
                self._nodes += 1
                value = resolve(inner.value) if inner.implicit[0] else _tagged(inner)
            else:
                value = self._value(inner, depth)
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

    def _end(self) -> NoReturn:
        raise yaml.YAMLError("unexpected end of the text")

    def _key(self, event: Event, depth: int) -> str:
        if is_kind(event, yaml.ScalarEvent):
            self._nodes += 1
            if event.anchor is not None:
                self._anchors[event.anchor] = (event.value, 1)
            return event.value
        value = self._value(event, depth)
        if not isinstance(value, str):
            raise Refused("mapping key is not a scalar", event.start_mark)
        return value


def _tagged(event: Event) -> Json:
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

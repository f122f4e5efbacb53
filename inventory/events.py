"""libyaml's event stream, with types.

PyYAML's stubs leave the attributes of events untyped.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import yaml


class YamlProblem(NamedTuple):
    """Why a text is not what Kubernetes would read; line and column from 1."""

    message: str
    line: int
    column: int


class Mark(Protocol):
    """A place in the text; counts from 0."""

    line: int
    column: int


class Event(Protocol):
    """The attributes of PyYAML's events that are used here, with types."""

    start_mark: Mark
    anchor: str | None
    tag: str | None
    value: str
    implicit: tuple[bool, bool]


def is_kind(event: Event, *kinds: type[yaml.Event]) -> bool:
    """Narrow by hand: PyYAML's stubs leave the attributes of events untyped."""
    return isinstance(event, kinds)


class Refused(Exception):  # noqa: N818 - never leaves the reader
    """The text is not read any further; `problem` says why."""

    def __init__(self, message: str, mark: Mark) -> None:
        self.problem = YamlProblem(message, mark.line + 1, mark.column + 1)

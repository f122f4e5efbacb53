"""Flux' variable substitution, to the letter.

The grammar is that of fluxcd/pkg `envsubst` (a fork of drone/envsubst): `${name}`, defaults
(`:-` `:=` `:?` `:+` `=` all mean "or else"), substrings, case, trimming, replacing, lengths,
nested references, and `$$` for a dollar. A bare `$name` is text. One malformed reference fails the
whole Kustomization, and so does an undefined name without a default since kustomize-controller 1.9
(Flux 2.9, `StrictPostBuildSubstitutions`); before, it became empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from inventory.expansions import FUNCTIONS

Parts: TypeAlias = "tuple[str | Reference, ...]"

NAME = re.compile(r"[_A-Za-z][_A-Za-z0-9]*\Z")
_MAX_DEPTH = 50  # references inside references; Flux' own recursion has no limit


class SubstitutionError(ValueError):
    """A malformed reference; `offset` is where it starts in the text."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Reference:
    """One `${...}`: a name, an operator (empty for a plain one) and its arguments."""

    name: str
    operator: str = ""
    arguments: tuple[Parts, ...] = ()
    offset: int = 0

    @property
    def has_default(self) -> bool:
        """Say whether an undefined name yields something else than an empty string."""
        return self.operator in ("=", ":=", ":-", ":?", ":+")


def parse(text: str) -> Parts:
    """Read a text into plain parts and references.

    Raises:
        SubstitutionError: A reference is malformed.
    """
    return _Parser(text).parse()


def references(text: str) -> Iterator[Reference]:
    """Yield every reference of a text, also those inside arguments.

    Raises:
        SubstitutionError: A reference is malformed.
    """
    if "${" in text:
        yield from _references(parse(text))


def expand(text: str, values: Mapping[str, str], *, strict: bool = False) -> str:
    """Return the text as Flux writes it; undefined names become empty unless it is `strict`.

    Raises:
        SubstitutionError: A reference is malformed, or strictly undefined.
    """
    if "$" not in text:
        return text

    def look_up(reference: Reference) -> str:
        if strict and reference.name not in values and not reference.has_default:
            reason = f'variable not set (strict mode): "{reference.name}"'
            raise SubstitutionError(reason, reference.offset)
        return values.get(reference.name, "")

    return _expand(parse(text), look_up)


def expand_known(text: str, values: Mapping[str, str]) -> str:
    """Return the text with known names filled in and other plain references left as they are."""
    if "$" not in text:
        return text
    try:
        parts = parse(text)
    except SubstitutionError:
        return text
    return _expand(parts, lambda reference: _known(reference, values))


def is_valid_name(name: str) -> bool:
    """Say whether Flux accepts `name` as a variable; one bad key fails the Kustomization."""
    return NAME.match(name) is not None


def _known(reference: Reference, values: Mapping[str, str]) -> str:
    if reference.name in values or reference.has_default:
        return values.get(reference.name, "")
    return "${" + reference.name + "}"


def _references(parts: Parts) -> Iterator[Reference]:
    for part in parts:
        if isinstance(part, Reference):
            yield part
            for argument in part.arguments:
                yield from _references(argument)


def _expand(parts: Parts, look_up: Callable[[Reference], str]) -> str:
    return "".join(part if isinstance(part, str) else _evaluate(part, look_up) for part in parts)


def _evaluate(reference: Reference, look_up: Callable[[Reference], str]) -> str:
    value = look_up(reference)
    arguments = [_expand(argument, look_up) for argument in reference.arguments]
    operator = reference.operator
    if operator == "#" and not arguments:
        return str(len(value.encode()))
    function = FUNCTIONS.get(operator)
    if function is None:
        return value or "".join(arguments)
    return function(value, arguments)


class _Parser:
    """Reads one text from left to right; each method leaves `_at` behind what it read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def parse(self) -> Parts:
        parts: list[str | Reference] = []
        start = self._at
        while (dollar := self._text.find("$", self._at)) >= 0:
            following = self._text[dollar + 1 : dollar + 2]
            if following not in ("$", "{"):
                self._at = dollar + 1
                continue
            # Of `$$` one dollar stays, whatever follows.
            parts.append(self._text[start : dollar + (following == "$")])
            self._at = start = dollar + 2
            if following == "{":
                parts.append(self._reference())
                start = self._at
        parts.append(self._text[start:])
        return tuple(part for part in parts if part)

    def _reference(self) -> Reference:
        offset = self._at - 2
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise SubstitutionError("references nested too deep", offset)
        try:
            return self._read(offset)
        finally:
            self._depth -= 1

    def _read(self, offset: int) -> Reference:
        if self._peek() == "#":
            self._at += 1
            name = self._name(offset)
            self._close(offset)
            return Reference(name, "#", (), offset)
        name = self._name(offset)
        operator = self._operator(offset)
        arguments: tuple[Parts, ...] = ()
        if operator in ("=", ":=", ":-", ":?", ":+"):
            arguments = tuple(self._many(offset))
        elif operator == ":":
            arguments = tuple(self._substring(offset))
        elif operator[:1] == "/":
            arguments = tuple(self._replacement(offset))
        elif operator[:1] in ("#", "%"):
            arguments = (self._argument("}", offset),)
        self._close(offset)
        return Reference(name, operator, arguments, offset)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _name(self, offset: int) -> str:
        start = self._at
        while (character := self._peek()) and (character.isalnum() or character == "_"):
            self._at += 1
        if start == self._at:
            raise SubstitutionError("variable name is missing", offset)
        return self._text[start : self._at]

    def _operator(self, offset: int) -> str:
        first = self._peek()
        second = self._text[self._at + 1 : self._at + 2]
        length = 1
        if first == ":":
            length = 2 if second and second in "=-?+" else 1
        elif first == "/":
            length = 2 if second and second in "/#%" else 1
        elif first and first in "#%":
            length = 2 if second == first else 1
        elif first and first in ",^":
            length = 2 if second and second in ",^" else 1
        elif first == "}":
            return ""
        elif first != "=":
            raise SubstitutionError("closing brace is missing", offset)
        self._at += length
        return first + second if length > 1 else first

    def _close(self, offset: int) -> None:
        if self._peek() != "}":
            raise SubstitutionError("closing brace is missing", offset)
        self._at += 1

    def _many(self, offset: int) -> Iterator[Parts]:
        while self._peek() != "}":
            yield self._argument("}", offset)

    def _substring(self, offset: int) -> Iterator[Parts]:
        yield self._argument(":}", offset)
        if self._peek() == ":":
            self._skip(":")
            yield self._argument("}", offset)

    def _replacement(self, offset: int) -> Iterator[Parts]:
        yield self._argument("/", offset, escapes=True)
        if self._peek() != "/":
            raise SubstitutionError("second slash is missing", offset)
        self._skip("/")
        if self._peek() != "}":
            yield self._argument("}", offset, escapes=True)

    def _skip(self, character: str) -> None:
        while self._peek() == character:
            self._at += 1

    def _argument(self, ends: str, offset: int, *, escapes: bool = False) -> Parts:
        """Read one argument: a reference, or text up to one of `ends` or the next reference."""
        if self._text.startswith("${", self._at):
            self._at += 2
            return (self._reference(),)
        found: list[str] = []
        while (character := self._peek()) and character not in ends:
            if self._text.startswith("${", self._at):
                break
            pair = self._text[self._at : self._at + 2]
            if escapes and pair in ("$$", "\\/", "\\\\"):
                self._at += 1
            found.append(self._peek())
            self._at += 1
        if not found:
            raise SubstitutionError("argument is missing", offset)
        return ("".join(found),)

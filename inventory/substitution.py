"""Flux' variable substitution, to the letter.

The grammar is that of fluxcd/pkg `envsubst` (a fork of drone/envsubst): `${name}`, defaults
(`:-` `:=` `:?` `:+` `=` all mean "or else"), substrings, case, trimming, replacing, lengths,
nested references, and `$$` for a dollar. A bare `$name` is text. Undefined names become empty. One
malformed reference fails the whole Kustomization.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from inventory.documents import parse_documents
from inventory.model import Json, JsonObject
from inventory.objects import get_text
from inventory.scalars import resolve_scalar

Parts: TypeAlias = "tuple[str | Reference, ...]"

DISABLED_KEY: Final = "kustomize.toolkit.fluxcd.io/substitute"
NAME = re.compile(r"[_A-Za-z][_A-Za-z0-9]*\Z")
_MAX_DEPTH = 50  # references inside references; Flux' own recursion has no limit
_SIMPLE = re.compile(r"[\w./:@-]*\Z")
# What libyaml's emitter (and Go's port of it) cannot write as a plain scalar in block context.
_NOT_PLAIN = re.compile(r"[-?:,\[\]{}#&*!|>'\"%@`\s]|.*(?::\s|\s#|[\n\r\t])|.*[:\s]\Z", re.DOTALL)


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


def expand(text: str, values: Mapping[str, str]) -> str:
    """Return the text as Flux writes it; undefined names become empty.

    Raises:
        SubstitutionError: A reference is malformed.
    """
    if "$" not in text:
        return text
    return _expand(parse(text), lambda reference: values.get(reference.name, ""))


def expand_known(text: str, values: Mapping[str, str]) -> str:
    """Return the text with known names filled in and other plain references left as they are."""
    if "$" not in text:
        return text
    try:
        parts = parse(text)
    except SubstitutionError:
        return text
    return _expand(parts, lambda reference: _known(reference, values))


def is_disabled(value: JsonObject) -> bool:
    """Say whether a label or an annotation keeps Flux from substituting in this object."""
    return any(
        get_text(value, "metadata", key, DISABLED_KEY) == "disabled"
        for key in ("labels", "annotations")
    )


def substitute_object(value: JsonObject, values: Mapping[str, str]) -> JsonObject:
    """Return an object as Flux applies it after `postBuild`.

    Flux substitutes in the YAML text, so a plain scalar may become a number or a boolean.

    Raises:
        SubstitutionError: A reference is malformed.
    """
    if is_disabled(value) or not values:
        return value
    changed = _substitute(value, lambda text: expand(text, values))
    return changed if isinstance(changed, Mapping) else value


def substitute_known(value: Json, values: Mapping[str, str]) -> Json:
    """Return the value with known names filled in; nothing else changes."""
    return _substitute(value, lambda text: expand_known(text, values))


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


def _substitute(value: Json, fill: Callable[[str], str]) -> Json:
    if isinstance(value, str):
        return _substitute_text(value, fill) if "$" in value else value
    if isinstance(value, Mapping):
        return {fill(key): _substitute(item, fill) for key, item in value.items()}
    if isinstance(value, list):
        return [_substitute(item, fill) for item in value]
    return value


def _substitute_text(text: str, fill: Callable[[str], str]) -> Json:
    filled = fill(text)
    if filled == text or _NOT_PLAIN.match(text):
        return filled
    if _SIMPLE.match(filled):
        return resolve_scalar(filled)
    documents, problems = parse_documents("", filled)
    if problems or len(documents) != 1 or isinstance(documents[0].value, (list, Mapping)):
        return filled
    return documents[0].value


def _expand(parts: Parts, look_up: Callable[[Reference], str]) -> str:
    return "".join(part if isinstance(part, str) else _evaluate(part, look_up) for part in parts)


def _evaluate(reference: Reference, look_up: Callable[[Reference], str]) -> str:
    value = look_up(reference)
    arguments = [_expand(argument, look_up) for argument in reference.arguments]
    operator = reference.operator
    if operator == "#" and not arguments:
        return str(len(value.encode()))
    function = _FUNCTIONS.get(operator)
    if function is None:
        return value or "".join(arguments)
    return function(value, arguments)


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


_MAX_TRIMMED = 4096  # trimming tries every length; no variable is longer


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


_FUNCTIONS: dict[str, Callable[[str, list[str]], str]] = {
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


def is_valid_name(name: str) -> bool:
    """Say whether Flux accepts `name` as a variable; one bad key fails the Kustomization."""
    return NAME.match(name) is not None

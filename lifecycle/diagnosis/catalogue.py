"""The catalogue of failure signatures: what a message means and what repairs it.

The entries are data, in `catalogue.toml`, most telling first: the first pattern that is found in
a message decides. Entries without a pattern are named by the walk that finds them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Final

from lifecycle.drivers.documents import JsonObject, as_object, list_at, text_at

__all__ = ["CATALOGUE", "Match", "Signature", "find_signature", "match_message"]


@dataclass(frozen=True, slots=True)
class Signature:
    """One way in which something fails.

    Attributes:
        id: Kebab-case, stable.
        seen_in: Whose messages carry it, for people.
        pattern: Regular expression; its named groups fill `cause` and `repair`. None when it is
            found by looking at objects, not at a message.
        cause: What is wrong, with `{fields}`.
        repair: What to do about it, with `{fields}`.
        origin: Where the message is written, or who was hit by it.
    """

    id: str
    seen_in: str
    pattern: re.Pattern[str] | None
    cause: str
    repair: str
    origin: str


@dataclass(frozen=True, slots=True)
class Match:
    """A signature that a message bears, and what its pattern found."""

    signature: Signature
    fields: Mapping[str, str]


def match_message(message: str) -> Match | None:
    """Find the first signature that a message bears; None for an unknown one."""
    for signature in CATALOGUE:
        found = signature.pattern.search(message) if signature.pattern else None
        if found:
            # A group that took no part must not hide what the walk knows itself.
            fields = {name: value for name, value in found.groupdict().items() if value}
            return Match(signature, fields)
    return None


def find_signature(name: str) -> Signature:
    """Return the entry of an id; raises KeyError."""
    return _BY_ID[name]


def _read_catalogue() -> tuple[Signature, ...]:
    text = resources.files(__package__).joinpath("catalogue.toml").read_text(encoding="utf-8")
    document: JsonObject = tomllib.loads(text)
    return tuple(_parse(as_object(entry)) for entry in list_at(document, "signature"))


def _parse(entry: JsonObject) -> Signature:
    pattern = text_at(entry, "pattern")
    return Signature(
        id=text_at(entry, "id"),
        seen_in=text_at(entry, "seen_in"),
        pattern=re.compile(pattern, re.DOTALL) if pattern else None,  # some go over several lines
        cause=text_at(entry, "cause"),
        repair=text_at(entry, "repair"),
        origin=text_at(entry, "origin"),
    )


CATALOGUE: Final[tuple[Signature, ...]] = _read_catalogue()
_BY_ID: Final[Mapping[str, Signature]] = {signature.id: signature for signature in CATALOGUE}

"""Label and field selectors, in kubectl's syntax and as objects carry them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lab.kubernetes.errors import BadRequestError
from lab.kubernetes.values import Json, Object, at, dig, labels_of, maps, text, texts

__all__ = [
    "Requirement",
    "make_filter",
    "matches_fields",
    "matches_labels",
    "parse_labels",
    "selects",
]

_SET = re.compile(r"^\s*(\S+)\s+(in|notin)\s+\(([^)]*)\)\s*$")
_EQUALS = re.compile(r"^\s*([^=!\s]+)\s*(==|!=|=)\s*(\S*)\s*$")
_EXISTS = re.compile(r"^\s*(!?)\s*([^=!\s()]+)\s*$")
_COMMA = re.compile(r",(?![^(]*\))")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on a label: `operator` is in, notin, exists or absent."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def accepts(self, labels: Mapping[str, str]) -> bool:
        """Tell whether `labels` meet the condition."""
        match self.operator:
            case "in":
                return labels.get(self.key) in self.values
            case "notin":
                return labels.get(self.key) not in self.values
            case "exists":
                return self.key in labels
            case _:
                return self.key not in labels


def parse_labels(selector: str) -> tuple[Requirement, ...]:
    """Parse `a=b,c!=d,e in (f,g),h,!i`.

    Raises:
        BadRequestError: it cannot be parsed.
    """
    return tuple(_parse(part) for part in _COMMA.split(selector) if part.strip())


def matches_labels(requirements: tuple[Requirement, ...], labels: Mapping[str, str]) -> bool:
    """Tell whether `labels` meet all requirements."""
    return all(requirement.accepts(labels) for requirement in requirements)


def selects(selector: Json, labels: Mapping[str, str]) -> bool:
    """Tell whether a LabelSelector object (matchLabels, matchExpressions) accepts `labels`."""
    wanted = at(selector, "matchLabels")
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    operators = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent"}
    return all(
        Requirement(
            text(expression, "key"),
            operators.get(text(expression, "operator"), "in"),
            frozenset(texts(expression, "values")),
        ).accepts(labels)
        for expression in maps(selector, "matchExpressions")
    )


def matches_fields(selector: str, obj: Object) -> bool:
    """Tell whether an object meets `metadata.name=x,status.phase!=Running`.

    Any path is accepted where the real API server knows a few per kind.
    """
    for part in filter(None, selector.split(",")):
        found = _EQUALS.match(part)
        if found is None:
            raise BadRequestError(f"invalid selector: '{selector}'; can't understand '{part}'")
        path, operator, wanted = found.groups()
        value = dig(obj, *path.split("."))
        shown = (
            "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        )
        if (shown == wanted) == (operator == "!="):
            return False
    return True


def _parse(part: str) -> Requirement:
    if found := _SET.match(part):
        values = frozenset(value.strip() for value in found[3].split(","))
        return Requirement(found[1], found[2], values)
    if found := _EQUALS.match(part):
        return Requirement(found[1], "notin" if found[2] == "!=" else "in", frozenset({found[3]}))
    if found := _EXISTS.match(part):
        return Requirement(found[2], "absent" if found[1] else "exists")
    raise BadRequestError(f"unable to parse requirement: `{part}`")


def make_filter(labels: str, fields: str) -> Callable[[Object], bool]:
    """Make what tells whether an object fits selectors of its labels and fields."""
    requirements = parse_labels(labels)

    def accepts(obj: Object) -> bool:
        return matches_labels(requirements, labels_of(obj)) and (
            not fields or matches_fields(fields, obj)
        )

    return accepts

"""The part of Kubernetes' JSONPath that people use with talosctl: fields, indices, `[*]`, text."""

from __future__ import annotations

import re

from lab.standins.values import Json

__all__ = ["JsonPath", "JsonPathError"]

_TOKEN = re.compile(
    r"\.(?P<field>[^.\[\]{}\s]+)|\[(?P<index>-?\d+)\]|\[(?P<all>\*)\]"
    r"|\[['\"](?P<quoted>[^'\"]+)['\"]\]"
)
_PART = re.compile(r"\{(?P<path>[^}]*)\}|(?P<text>[^{]+)")


class JsonPathError(Exception):
    """A path that does not parse, or leads nowhere."""


class JsonPath:
    """A parsed template such as `{.spec.stage}`."""

    def __init__(self, template: str, *, allow_missing: bool = False) -> None:
        self._allow_missing = allow_missing
        self._parts: list[str | list[str | int]] = []
        for match in _PART.finditer(template):
            if match["path"] is None:
                self._parts.append(match["text"])
            else:
                self._parts.append(_parse(match["path"].strip()))
        if template.count("{") != template.count("}"):
            raise JsonPathError("unclosed action")

    def find(self, data: Json) -> list[Json]:
        """Everything that the template's parts lead to, in order."""
        found: list[Json] = []
        for part in self._parts:
            if isinstance(part, str):
                found.append(part)
            else:
                found += self._walk([data], part)
        return found

    def _walk(self, values: list[Json], steps: list[str | int]) -> list[Json]:
        for step in steps:
            values = [item for value in values for item in self._take(value, step)]
        return values

    def _take(self, value: Json, step: str | int) -> list[Json]:
        if step == "*":
            if isinstance(value, dict):
                return list(value.values())
            return list(value) if isinstance(value, list) else []
        if isinstance(step, int):
            if isinstance(value, list) and -len(value) <= step < len(value):
                return [value[step]]
            if self._allow_missing:
                return []
            size = len(value) if isinstance(value, list) else 0
            raise JsonPathError(f"array index out of bounds: index {step}, length {size}")
        if isinstance(value, dict) and step in value:
            return [value[step]]
        if self._allow_missing:
            return []
        raise JsonPathError(f"{step} is not found")


def _parse(path: str) -> list[str | int]:
    steps: list[str | int] = []
    position = 1 if path.startswith(("$", "@")) else 0
    if path[position:] and path[position] not in ".[":
        raise JsonPathError(f"unrecognized identifier {path.partition('.')[0]}")
    if path[position:] == ".":
        return steps
    while position < len(path):
        match = _TOKEN.match(path, position)
        if match is None:
            raise JsonPathError(f"unexpected path: `{path[position:]}`")
        position = match.end()
        if match["index"] is not None:
            steps.append(int(match["index"]))
        else:
            steps.append(match["field"] or match["quoted"] or "*")
    return steps

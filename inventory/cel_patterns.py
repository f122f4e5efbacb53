"""Patterns that `matches()` is given as they stand: Go's implementation compiles them early.

cel-go compiles them when it makes the program (`interpreter.CompileRegexConstants`), before any
object is looked at; the C++ one at evaluation. Both take RE2's syntax, with words of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["explain_pattern", "list_patterns"]

_TOKEN: Final = re.compile(
    r"//[^\n]*"
    r"|(?P<text>[rR]?(?:\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}"
    r"|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'))"
    r"|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign>\S)",
    re.DOTALL,
)
_RAW: Final = re.compile(
    r"[rR](?:\"{3}.*?\"{3}|'{3}.*?'{3}|\"[^\"\n]*\"|'[^'\n]*')", re.DOTALL
)  # no escapes
_OPENING, _CLOSING = "([{", ")]}"
# What RE2 in C++ says of a pattern, and what Go says.
_WORDS: Final = (
    ("missing ): ", "missing closing )"),
    ("missing ]: ", "missing closing ]"),
    ("unexpected ): ", "unexpected )"),
    ("no argument for repetition operator: ", "missing argument to repetition operator"),
    ("bad repetition operator: ", "invalid nested repetition operator"),
    ("invalid repetition size: ", "invalid repeat count"),
    ("invalid named capture group: ", "invalid named capture"),
    ("invalid escape sequence: ", "invalid escape sequence"),
    ("invalid character class range: ", "invalid character class range"),
    ("invalid perl operator: ", "invalid or unsupported Perl syntax"),
)
_TRAILING: Final = "trailing \\"


def list_patterns(expression: str) -> Iterator[str]:
    """Yield the literals that stand as patterns of `matches`, as they are written."""
    tokens = [*_list_tokens(expression)]
    for index, (kind, word) in enumerate(tokens[:-1]):
        if kind == "name" and word == "matches" and tokens[index + 1][1] == "(":
            is_member = index > 0 and tokens[index - 1][1] == "."
            last = _read_last(tokens[index + 2 :], 1 if is_member else 2)
            if last:
                yield last


def explain_pattern(said: str) -> str:
    """Put what RE2 says of a pattern into Go's words."""
    for theirs, ours in _WORDS:
        if said.startswith(theirs):
            return f"error parsing regexp: {ours}: `{said.removeprefix(theirs)}`"
    if said.startswith(_TRAILING):
        said = "trailing backslash at end of expression: ``"
    return f"error parsing regexp: {said}"


def _list_tokens(expression: str) -> Iterator[tuple[str, str]]:
    position = 0
    while found := (_RAW.match(expression, position) or _TOKEN.search(expression, position)):
        position = found.end()
        kind = "text" if found.re is _RAW else found.lastgroup
        if kind:
            yield kind, found[0]


def _read_last(tokens: list[tuple[str, str]], wanted: int) -> str:
    """Return the last of `wanted` arguments, if it is a literal and nothing more."""
    arguments: list[list[tuple[str, str]]] = [[]]
    depth = 0
    for kind, word in tokens:
        if kind == "sign" and word in _CLOSING:
            if depth == 0:
                break
            depth -= 1
        if kind == "sign" and word in _OPENING:
            depth += 1
        if kind == "sign" and word == "," and depth == 0:
            arguments.append([])
        else:
            arguments[-1].append((kind, word))
    last = arguments[-1]
    is_literal = len(arguments) == wanted and len(last) == 1 and last[0][0] == "text"
    return last[0][1] if is_literal else ""

"""Regular expressions of a repository, matched in time that grows with the text and no faster.

Go's expressions (SOPS, kustomize) never backtrack; Python's take for ever on `(a+)+$`. Where one
could, all ways through the expression are followed at once instead (Thompson, 1968).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

__all__ = ["Pattern", "compile_pattern"]

_MAX_STATES: Final = 20_000
_MAX_REPEAT: Final = 1_000  # as in Go
_ATOM: Final = re.compile(
    r"\\[pP]\{\w+\}|\\x[0-9a-fA-F]{2}|\\.|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]|[^\\]", re.DOTALL
)
_REPEAT: Final = re.compile(r"(?:([*+?])|\{(\d+)(,?)(\d*)\})\??")
_GROUP: Final = re.compile(r"\((?:\?(?:P?<\w+>|([imsU]*)(?:-[imsU]+)?([:)])))?")
_CLASSES: Final = {"[:alpha:]": "a-zA-Z", "[:digit:]": "0-9", "[:alnum:]": "a-zA-Z0-9"}
_ANCHORS: Final = {"^": "start", "$": "end", "\\A": "start", "\\z": "end", "\\Z": "end"}
_RISKY: Final = re.compile(r"\)\s*[*+{]")  # a repeated group
_FLAGGED: Final = re.compile(r"(?<![\\\[])\(\(\?i\)")  # a group that minds no case, as Go writes it
_MAX_LOOSE: Final = 3  # repeats one after another: the time grows with the text to this power


@dataclass(slots=True)
class _State:
    """Reads one character (`atom`), stands at an edge, or only leads on."""

    atom: re.Pattern[str] | None = None
    edge: str = ""
    after: list[int] = field(default_factory=list)


class PatternError(ValueError):
    """The text is no regular expression, or one that nothing sensible needs."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled expression."""

    plain: re.Pattern[str] | None
    states: tuple[_State, ...] = ()
    first: int = 0
    last: int = 0

    def is_in(self, text: str) -> bool:
        """Say whether the expression matches somewhere in `text`."""
        if self.plain is not None:
            return self.plain.search(text) is not None
        return self._run(text, is_whole=False)

    def is_all_of(self, text: str) -> bool:
        """Say whether the expression matches `text` from end to end."""
        if self.plain is not None:
            return self.plain.fullmatch(text) is not None
        return self._run(text, is_whole=True)

    def _run(self, text: str, *, is_whole: bool) -> bool:
        now = self._reach([self.first], 0, text)
        for position, character in enumerate(text):
            if self.last in now and not is_whole:
                return True
            ahead: list[int] = [] if is_whole else [self.first]
            for number in now:
                state = self.states[number]
                if state.atom is not None and state.atom.match(character):
                    ahead += state.after
            now = self._reach(ahead, position + 1, text)
        return self.last in now

    def _reach(self, todo: list[int], position: int, text: str) -> set[int]:
        """Return every state that can be come to without reading."""
        found: set[int] = set()
        while todo:
            number = todo.pop()
            if number in found:
                continue
            found.add(number)
            state = self.states[number]
            is_open = not state.edge or position == (0 if state.edge == "start" else len(text))
            if state.atom is None and is_open:
                todo += state.after
        return found


@lru_cache(maxsize=256)
def compile_pattern(text: str) -> Pattern | None:
    """Return an expression in Go's syntax; None when it is none."""
    flags, inner = re.NOFLAG, text
    if found := re.match(r"\(\?([imsU]+)\)", text):
        flags = re.IGNORECASE if "i" in found[1] else re.NOFLAG
        inner = text[found.end() :]
    simple = _FLAGGED.sub("(?i:", inner)  # the same in Python's words
    loose = len(re.findall(r"[*+]|\{\d+,", inner))
    is_plain = "(?" not in simple.replace("(?i:", "")
    try:
        if not _RISKY.search(inner) and loose <= _MAX_LOOSE and is_plain:
            return Pattern(re.compile(simple, flags))
        return _Compiler(inner, flags).compile()
    except (re.error, PatternError, RecursionError, OverflowError):
        return None


class _Compiler:
    """Makes the states of one expression."""

    def __init__(self, text: str, flags: re.RegexFlag) -> None:
        self._text = text
        self._flags = flags
        self._at = 0
        self._states: list[_State] = []

    def compile(self) -> Pattern:
        first, last = self._choice()
        if self._at < len(self._text):
            raise PatternError("unexpected `)`")
        return Pattern(None, tuple(self._states), first, last)

    def _new(self, *after: int, atom: re.Pattern[str] | None = None, edge: str = "") -> int:
        if len(self._states) >= _MAX_STATES:
            raise PatternError("expression is too large")
        self._states.append(_State(atom, edge, list(after)))
        return len(self._states) - 1

    def _choice(self) -> tuple[int, int]:
        first, last = self._new(), self._new()
        while True:
            begin, end = self._sequence()
            self._states[first].after.append(begin)
            self._states[end].after.append(last)
            if self._text[self._at : self._at + 1] != "|":
                return first, last
            self._at += 1

    def _sequence(self) -> tuple[int, int]:
        first = last = self._new()
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            begin_at = self._at
            begin, end = self._item()
            repeat = _REPEAT.match(self._text, self._at)
            if repeat is not None:
                self._at = repeat.end()
                begin, end = self._repeat(repeat, begin, end, begin_at)
            self._states[last].after.append(begin)
            last = end
        return first, last

    def _item(self) -> tuple[int, int]:
        if self._text[self._at] == "(":
            return self._group()
        found = _ATOM.match(self._text, self._at)
        if found is None or found[0] in ("*", "+", "?"):
            raise PatternError("nothing to repeat")
        self._at = found.end()
        last = self._new()
        if found[0] in _ANCHORS:
            return self._new(last, edge=_ANCHORS[found[0]]), last
        if re.fullmatch(r"\\[1-9bBpP].*", found[0], re.DOTALL):
            raise PatternError("not supported")
        atom = found[0]
        for name, characters in _CLASSES.items():
            atom = atom.replace(name, characters)
        return self._new(last, atom=re.compile(atom, self._flags | re.DOTALL)), last

    def _group(self) -> tuple[int, int]:
        found = _GROUP.match(self._text, self._at)
        if found is None:
            raise PatternError("unknown group")
        self._at = found.end()
        before = self._flags
        if "i" in (found[1] or ""):
            self._flags |= re.IGNORECASE
        if found[2] == ")":  # flags for what follows
            state = self._new()
            return state, state
        begin, end = self._choice()
        if self._text[self._at : self._at + 1] != ")":
            raise PatternError("missing `)`")
        self._at += 1
        self._flags = before
        return begin, end

    def _repeat(
        self, repeat: re.Match[str], begin: int, end: int, begin_at: int
    ) -> tuple[int, int]:
        sign, low_text, comma, high_text = repeat.groups()
        low = int(low_text) if low_text else int(sign == "+")
        high = int(high_text) if high_text else (1 if sign == "?" else None)
        high = low if low_text and not comma else high
        if max(low, high or 0) > _MAX_REPEAT or (high is not None and high < low):
            raise PatternError("bad repeat")
        if high == 0:
            state = self._new()
            return state, state
        first, done = self._new(), self._new()
        last = first
        for number in range(max(low, 1) if high is None else high):
            if number >= low:
                self._states[last].after.append(done)
            begin, end = (begin, end) if number == 0 else self._copy(begin_at)
            self._states[last].after.append(begin)
            last = end
        self._states[last].after += [done] if high is not None else [done, begin]
        return first, done

    def _copy(self, begin_at: int) -> tuple[int, int]:
        after, self._at = self._at, begin_at
        begin, end = self._item()
        self._at = after
        return begin, end

"""What source-controller leaves out of its artifacts, by `.sourceignore` and `spec.ignore`.

Follows fluxcd/pkg `sourceignore` (go-git's reading of gitignore patterns, which differs from Git's)
and `artifact/storage`: Git's own files are always left out, a list of defaults only where nobody
gives a pattern; of several that fit, the last counts: those of the root's file, of files further
down, of `spec.ignore`. Each file is judged alone, so one may come back in a folder that is out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from inventory.model import Position
from inventory.regexes import Pattern, compile_pattern

__all__ = ["IGNORE_FILE", "IgnorePattern", "IgnoreRules", "read_patterns"]

IGNORE_FILE: Final = ".sourceignore"
_OF_GIT: Final = ".git/ .gitignore .gitmodules .gitattributes"
_DEFAULTS: Final = (
    "*.jpg *.jpeg *.gif *.png *.wmv *.flv *.tar.gz *.zip .github/ .circleci/ .travis.yml"
    " .gitlab-ci.yml appveyor.yml .drone.yml cloudbuild.yaml codeship-services.yml"
    " codeship-steps.yml **/.goreleaser.yml **/.sops.yaml **/.flux.yaml"
)
_ANY_FOLDERS: Final = "**"


@dataclass(frozen=True, slots=True)
class IgnorePattern:
    """One pattern, and where it is written (nowhere for those of source-controller itself)."""

    written: str
    parts: tuple[str, ...]
    matchers: tuple[Pattern | None, ...]  # one a part; None fits nothing
    includes: bool
    is_for_folders: bool
    domain: tuple[str, ...] = ()
    position: Position | None = None

    def fits(self, path: Sequence[str], *, is_folder: bool) -> bool:
        """Tell whether a path is meant: itself, or by a folder above it."""
        size = len(self.domain)
        if len(path) <= size or tuple(path[:size]) != self.domain:
            return False
        below = path[size:]
        if len(self.parts) > 1:
            return self._fits_parts(below, is_folder=is_folder)
        for index, name in enumerate(below):
            if _fits(self.matchers[0], name):
                return not self.is_for_folders or is_folder or index < len(below) - 1
        return False

    def _fits_parts(self, path: Sequence[str], *, is_folder: bool) -> bool:
        has_matched, may_skip, at = False, False, 0
        for index, part in enumerate(self.parts):
            if not part:
                may_skip = False
                continue
            if part == _ANY_FOLDERS:
                if index == len(self.parts) - 1:
                    break
                may_skip = True
                continue
            if _ANY_FOLDERS in part or at >= len(path):
                return False
            found = self._find(index, path, at, may_skip=may_skip)
            if not may_skip and found < 0:
                return False
            # One that is not found after `**` ends nothing by itself, as in the original.
            has_matched, at = found >= 0, found + 1 if found >= 0 else len(path)
            may_skip = False
        return has_matched and not (self.is_for_folders and not is_folder and at == len(path))

    def _find(self, index: int, path: Sequence[str], at: int, *, may_skip: bool) -> int:
        last = len(path) if may_skip else at + 1
        matcher = self.matchers[index]
        return next((i for i in range(at, last) if _fits(matcher, path[i])), -1)


def read_patterns(
    text: str, domain: Sequence[str] = (), position: Position | None = None
) -> Iterator[IgnorePattern]:
    """Yield the patterns of a file, or of a field; `position` is where its text begins."""
    for number, line in enumerate(text.split("\n")):
        written = line.removesuffix("\r")
        if written.strip() and not written.startswith("#"):
            place = position and Position(position.path, position.line + number, position.column)
            yield _parse(written, tuple(domain), place)


def _parse(written: str, domain: tuple[str, ...], position: Position | None) -> IgnorePattern:
    body = written.removeprefix("!")
    if not body.endswith("\\ "):
        body = body.rstrip(" ")
    is_for_folders = body.endswith("/")
    parts = tuple(body.removesuffix("/").split("/"))
    return IgnorePattern(
        written,
        parts,
        tuple(_compile(part) for part in parts),
        includes=written.startswith("!"),
        is_for_folders=is_for_folders,
        domain=domain,
        position=position,
    )


def _compile(part: str) -> Pattern | None:
    """Translate a pattern of Go's `filepath.Match`; one that Go refuses matches nothing."""
    made, at = "", 0
    while at < len(part):
        character = part[at]
        at += 1
        if character in "*?":
            made += "[^/]*" if character == "*" else "[^/]"
        elif character == "[":
            end = _find_end(part, at)
            if end < 0:
                return None
            inner, at = part[at:end], end + 1
            is_negated = inner.startswith("^")
            inner = re.sub(r"([\[&~|])", r"\\\1", inner.removeprefix("^"))
            made += f"[{'^' if is_negated else ''}{inner}]"
        elif character == "\\":
            if at == len(part):
                return None
            made += re.escape(part[at])
            at += 1
        else:
            made += re.escape(character)
    return compile_pattern(re.sub(r"(\[\^/\]\*)+", "[^/]*", made))


def _fits(matcher: Pattern | None, name: str) -> bool:
    return matcher is not None and matcher.is_all_of(name)


def _find_end(part: str, at: int) -> int:
    """Return where a class ends; -1 where Go finds none."""
    first = at + part[at:].startswith("^")
    while at < len(part):
        if part[at] == "]":
            return at if at > first else -1
        at += 2 if part[at] == "\\" else 1
    return -1


@dataclass(slots=True)
class IgnoreRules:
    """All patterns of one source, from the weakest to the strongest."""

    patterns: Sequence[IgnorePattern]
    _named: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Iterable[IgnorePattern]) -> IgnoreRules:
        """Put source-controller's own patterns below those that are given."""
        own = [*given]
        words = _OF_GIT if own else f"{_OF_GIT} {_DEFAULTS}"
        return cls([*(_parse(word, (), None) for word in words.split()), *own])

    def find(self, path: str, *, is_folder: bool) -> IgnorePattern | None:
        """Return the pattern that leaves a path out; None where it is in the artifact."""
        parts = path.split("/")
        # Most patterns fit no name of most paths.
        numbers = {number for part in parts for number in self._list_near(part)}
        for number in sorted(numbers, reverse=True):
            pattern = self.patterns[number]
            if pattern.fits(parts, is_folder=is_folder):
                return None if pattern.includes else pattern
        return None

    def _list_near(self, name: str) -> tuple[int, ...]:
        """Return the numbers of the patterns a part of which fits a name."""
        known = self._named.get(name)
        if known is None:
            known = tuple(
                number
                for number, pattern in enumerate(self.patterns)
                if any(_fits(matcher, name) for matcher in pattern.matchers)
            )
            self._named[name] = known
        return known

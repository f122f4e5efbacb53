"""Ranges of chart versions, as Masterminds/semver has them, which Helm and Flux use.

`1.x`, `^1.2`, `~1.2.3`, `>=1.0.0 <2.0.0`, alternatives by `||`; prereleases are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["choose_version", "is_exact"]

_EXACT = re.compile(r"v?\d+\.\d+\.\d+\S*")
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:\+\S+)?")
_BOUND = re.compile(r"(<=|>=|<|>|=|\^|~)?\s*v?(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?")
_Version = tuple[int, ...]
_OPEN = 1 << 62


def is_exact(version: str) -> bool:
    """Tell one version, a prerelease or build of it as well, from a range."""
    return _EXACT.fullmatch(version) is not None


def choose_version(wanted: str, versions: Iterable[str]) -> str:
    """Choose the highest version that a range allows; "" where none does."""
    known = {version: read for version in versions if (read := _read(version))}
    alternatives = [_parse(part) for part in wanted.split("||")]
    fit = [
        version
        for version, read in known.items()
        if any(all(low <= read < high for low, high in bounds) for bounds in alternatives)
    ]
    return max(fit, key=lambda version: known[version], default="")


def _read(version: str) -> _Version:
    found = _VERSION.fullmatch(version)
    return tuple(int(part) for part in found.groups()) if found else ()


def _parse(text: str) -> list[tuple[_Version, _Version]]:
    """Read bounds that all have to hold, each as what it begins with and what it ends before."""
    bounds = [_bound(*found.groups(default="")) for found in _BOUND.finditer(text)]
    return bounds or [((0, 0, 0), (_OPEN,))]


def _bound(sign: str, *parts: str) -> tuple[_Version, _Version]:
    given = [int(part) for part in parts if part.isdigit()]
    low = (*given, 0, 0, 0)[:3]
    after = (*given[:-1], given[-1] + 1) if given else (_OPEN,)  # what the given digits end before
    fixed = next((place for place, digit in enumerate(given) if digit), len(given) - 1)
    ends = {
        "<": ((0, 0, 0), low),
        "<=": ((0, 0, 0), after),
        ">": ((*after, 0, 0)[:3], (_OPEN,)),
        ">=": (low, (_OPEN,)),
        "~": (low, (given[0], given[1] + 1) if len(given) > 1 else after),
        "^": (low, (*given[:fixed], given[fixed] + 1) if given else (_OPEN,)),
    }
    return ends.get(sign, (low, after))

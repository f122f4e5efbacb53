"""Which Flux a repository installs, for what differs between versions."""

from __future__ import annotations

import re
from typing import Final

from inventory.checks.facts import Facts

_MINOR: Final = re.compile(r"v?(\d+)\.(\d+)")


def has_flux_since(facts: Facts, wanted: tuple[int, int], *, is_unknown: bool) -> bool:
    """Say whether the repository's Flux is of a version or later; `is_unknown` where none says."""
    stated = [s for s in facts.inventory.versions if s.subject == "flux"]
    if any(s.note == "a range" for s in stated):
        return True  # it leads to the newest
    texts = (s.value for s in stated if not s.note)
    known = [tuple(map(int, found.groups())) for text in texts if (found := _MINOR.match(text))]
    return max(known) >= wanted if known else is_unknown


def is_feature_stated(facts: Facts, feature: str) -> bool:
    """Say whether a live manifest gives a controller a feature gate, such as `Name=false`."""
    paths = {item.position.path for _, item in facts.inventory.objects()}
    return any(facts.tree.mentions(path, feature) for path in paths)

"""Which Kubernetes versions a Talos version runs, and which upgrades go in one step.

From Talos' `pkg/machinery/compatibility/talos1xx`: each minor version supports six minor versions
of Kubernetes, the newest one moving with it. Upgrades skip no minor version of either.
"""

from __future__ import annotations

import re
from typing import Final

_MINOR = re.compile(r"v?1\.(\d+)(?:\.|\Z|-)")
_NEWEST_OF_TALOS_1_13: Final = 36
_SUPPORTED_MINORS: Final = 6
_OLDEST_KNOWN: Final = 6  # before it the rule was another


def minor_of(version: str) -> int | None:
    """Return the minor number of a `v1.x.y` version; None for anything else."""
    match = _MINOR.match(version)
    return int(match[1]) if match else None


def supported_kubernetes(talos_version: str) -> range | None:
    """Return the minor versions of Kubernetes that a Talos version supports; None if unknown."""
    talos = minor_of(talos_version)
    if talos is None or talos < _OLDEST_KNOWN:
        return None
    newest = _NEWEST_OF_TALOS_1_13 + talos - 13
    return range(newest - _SUPPORTED_MINORS + 1, newest + 1)


def is_supported(talos_version: str, kubernetes_version: str) -> bool:
    """Say whether a pair is supported; unknown versions count as supported."""
    supported = supported_kubernetes(talos_version)
    kubernetes = minor_of(kubernetes_version)
    return supported is None or kubernetes is None or kubernetes in supported

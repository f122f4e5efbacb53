"""Amounts as Kubernetes writes them, such as `10Gi`."""

from __future__ import annotations

import re

__all__ = ["read_quantity"]

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12} | {
    f"{unit}i": 2 ** (10 * power) for power, unit in enumerate("KMGT", start=1)
}
_WRITTEN = re.compile(r"(\d+(?:\.\d+)?)([kMGT]|[KMGT]i)?")


def read_quantity(written: str) -> int:
    """Read the size of a claim in bytes; 0 for what is none."""
    found = _WRITTEN.fullmatch(written)
    return int(float(found[1]) * _UNITS[found[2] or ""]) if found else 0

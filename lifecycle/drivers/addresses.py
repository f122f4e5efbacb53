"""Declared addresses and the ones that are dialled for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["AddressBook"]


@dataclass(frozen=True, slots=True)
class AddressBook:
    """Where a declared address is really reached: itself on real machines, loopback in the lab."""

    dialled: Mapping[str, str] = field(default_factory=dict)

    def dial(self, declared: str) -> str:
        """Return the address to dial for a declared one, which may carry a prefix length."""
        address = declared.partition("/")[0]
        return self.dialled.get(address, address)

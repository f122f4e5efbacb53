"""Who asks: the name and groups that a client certificate carries."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ADMIN", "User"]


@dataclass(frozen=True, slots=True)
class User:
    """A user as the API server sees it: common name and organisations of its certificate."""

    name: str
    groups: tuple[str, ...] = ()


ADMIN = User("system:admin", ("system:masters", "system:authenticated"))

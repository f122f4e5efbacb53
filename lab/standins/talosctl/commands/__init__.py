"""The commands, one function each, loaded only when called."""

from __future__ import annotations

__all__: list[str] = []

"""Secret values as a type, and the redactor that keeps them out of everything printed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

__all__ = ["Redactor", "Secret"]

MASK = "***"
_SHORTEST_REDACTED = 6  # shorter values ("true", "1", "admin") would mangle ordinary text


class Secret:
    """A value that never shows itself: its `repr` and `str` are `***`.

    Compare and store digests, never the value.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes | str) -> None:
        self._value = value.encode() if isinstance(value, str) else value

    def reveal(self) -> bytes:
        """Return the value: for a pipe, a request body or a private file, nothing else."""
        return self._value

    def reveal_text(self) -> str:
        """Return the value as UTF-8 text."""
        return self._value.decode()

    def digest(self) -> str:
        """Return the SHA-256 of the value, hex: what may be stored."""
        return hashlib.sha256(self._value).hexdigest()

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


class Redactor:
    """Replaces every known secret value in a text by `***`."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._ordered: tuple[str, ...] = ()

    def learn(self, values: Iterable[Secret | str]) -> None:
        """Add values, and each line of those that have several."""
        for value in values:
            text = value.reveal().decode("utf-8", "replace") if isinstance(value, Secret) else value
            for part in {text, *text.splitlines()}:
                if len(part.strip()) >= _SHORTEST_REDACTED:
                    self._values.add(part.strip())
        # The longest first, so that a value that holds another is not left half visible.
        self._ordered = tuple(sorted(self._values, key=len, reverse=True))

    def spare(self, values: Iterable[str]) -> None:
        """Show these whole values again: what is encrypted for tidiness, not to be hidden."""
        self._values.difference_update(values)
        self._ordered = tuple(value for value in self._ordered if value in self._values)

    def redact(self, text: str) -> str:
        """Return `text` without any known secret value."""
        for value in self._ordered:
            if value in text:
                text = text.replace(value, MASK)
        return text

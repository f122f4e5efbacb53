"""Reading untyped YAML by path, without trusting its shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Tree"]


@dataclass(frozen=True, slots=True)
class Tree:
    """A parsed YAML value; what is missing or of another kind reads as empty."""

    value: object

    def at(self, *path: str) -> Tree:
        """Walk down by keys; a missing step gives the empty tree."""
        value = self.value
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return Tree(value)

    def text(self) -> str:
        """Read a scalar as text, the way the config's writer meant it; "" when there is none."""
        match self.value:
            case bool(flag):
                return "true" if flag else "false"
            case str() | int() | float():
                return str(self.value)
            case _:
                return ""

    def flag(self) -> bool:
        """Read a boolean, also one written as the text `true`."""
        return self.text() == "true"

    def texts(self) -> tuple[str, ...]:
        """Read a list of scalars."""
        return tuple(item.text() for item in self.items())

    def items(self) -> tuple[Tree, ...]:
        """Read a list."""
        if isinstance(self.value, Sequence) and not isinstance(self.value, str | bytes):
            return tuple(Tree(item) for item in self.value)
        return ()

    def mapping(self) -> Mapping[str, str]:
        """Read a mapping of scalars."""
        if not isinstance(self.value, Mapping):
            return {}
        return {str(key): Tree(item).text() for key, item in self.value.items()}

    def __bool__(self) -> bool:
        return self.value is not None

"""What checks look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from inventory.discovery import Found
from inventory.documents import Document
from inventory.model import Inventory, Position
from inventory.tree import Tree

_NOTHING: Mapping[str, frozenset[str]] = {}


@dataclass(frozen=True, slots=True)
class Facts:
    """An inventory, the files it came from, and what rendering has shown.

    Attributes:
        provided: CRDs of rendered releases by release id; see `infer_edges`.
        consumed: Custom resources of rendered releases by release id.
    """

    inventory: Inventory
    tree: Tree
    found: tuple[Found, ...] = ()
    provided: Mapping[str, frozenset[str]] = field(default_factory=dict)
    consumed: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def locate(self, position: Position, *keys: str | int) -> Position:
        """Return the place of a value in the document that starts at `position`."""
        document = self.document(position)
        return document.locate(*keys) if document is not None else position

    def document(self, position: Position) -> Document | None:
        """Return the document that starts at `position`."""
        for document in self.tree.documents(position.path):
            if document.line == position.line:
                return document
        return None

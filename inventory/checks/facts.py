"""What checks look at."""

from __future__ import annotations

from dataclasses import dataclass, field

from inventory.discovery import Found
from inventory.documents import Document
from inventory.model import Inventory, Position, Rendered
from inventory.tree import Tree


@dataclass(frozen=True, slots=True)
class Facts:
    """An inventory, the files it came from, and what rendering has shown.

    Attributes:
        rendered: What rendering has shown of releases.
    """

    inventory: Inventory
    tree: Tree
    found: tuple[Found, ...] = ()
    rendered: Rendered = field(default_factory=Rendered)

    def locate(self, position: Position, *keys: str | int) -> Position:
        """Return the place of a value in the document that starts at `position`."""
        document = self.document(position)
        return document.locate(*keys) if document is not None else position

    def document(self, position: Position) -> Document | None:
        """Return the document that starts at `position`."""
        return self.tree.document_at(position.path, position.line)

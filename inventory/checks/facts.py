"""What checks look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from inventory.discovery import Found
from inventory.documents import Document
from inventory.envsubst import expand_known
from inventory.flux import is_source
from inventory.model import Inventory, ObjectRef, Position, Release, Rendered, SourceKey
from inventory.tree import Tree

_TRUECHARTS = ("truecharts", "trueforge")


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
    _kinds: dict[str, list[tuple[str, ObjectRef]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    _urls: dict[SourceKey, str] = field(default_factory=dict, init=False, repr=False, compare=False)
    _values: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def is_tenant(self) -> bool:
        """Whether others bring what is needed here: no source is declared at all, and no Talos."""
        inventory = self.inventory
        dead = any(is_source(item.raw) for item in inventory.dead)
        return not (inventory.sources or dead or inventory.talos)

    def of_kind(self, kind: str) -> Sequence[tuple[str, ObjectRef]]:
        """Return the live objects of a kind, each with the name of who applies it."""
        if not self._kinds:
            for owner, item in self.inventory.objects():
                self._kinds.setdefault(item.kind, []).append((owner, item))
        return self._kinds.get(kind, ())

    def is_of_truecharts(self, release: Release) -> bool:
        """Tell by its source whether a chart is built on TrueCharts' common library."""
        if not self._urls:
            self._urls.update((source.key, source.url.lower()) for source in self.inventory.sources)
        url = self._urls.get(release.source, "")
        return any(name in url for name in _TRUECHARTS)

    def locate(self, position: Position, *keys: str | int) -> Position:
        """Return the place of a value in the document that starts at `position`."""
        document = self.document(position)
        return document.locate(*keys) if document is not None else position

    def locate_variable(self, name: str) -> Position | None:
        """Return the place of a variable in clusterenv.yaml; None without such a file."""
        path = self.inventory.variables.path
        for document in self.tree.documents(path)[:1] if path else ():
            return document.locate(name)
        return None

    def fill(self, text: str) -> str:
        """Return a text with every variable that is known, whoever it is for."""
        if "$" not in text:
            return text
        if not self._values:
            variables = self.inventory.variables
            self._values.update(variables.derived)
            self._values.update(variables.values)
            for found in variables.sets.values():
                self._values.update(found.values)
        return expand_known(text, self._values)

    def document(self, position: Position) -> Document | None:
        """Return the document that starts at `position`."""
        return self.tree.document_at(position.path, position.line)

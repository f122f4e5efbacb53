"""One cluster of a repository."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from inventory.model._basics import Finding, Severity
from inventory.model._flux import Component, Entry, Layer, Release, Source
from inventory.model._graph import Edge
from inventory.model._machines import TalosConfig
from inventory.model._objects import DeadObject, ObjectRef, Statement
from inventory.model._variables import Variables


@dataclass(frozen=True, slots=True)
class Inventory:
    """One cluster of a repository.

    Attributes:
        root: Absolute path of the repository.
        cluster: Folder name under `clusters/`.
        talos: None for a cluster without Talos.
        layers: In the order of the entry's kustomization; see `inventory.order_layers`.
        dead: Kustomizations, HelmReleases and sources on disk that nothing live refers to.
        unlisted_directories: Directories that look like layers but that no kustomization lists.
    """

    root: str
    cluster: str
    talos: TalosConfig | None
    variables: Variables
    entries: tuple[Entry, ...]
    layers: tuple[Layer, ...]
    components: tuple[Component, ...]
    releases: tuple[Release, ...]
    sources: tuple[Source, ...]
    findings: tuple[Finding, ...]
    edges: tuple[Edge, ...]
    dead: tuple[DeadObject, ...] = ()
    unlisted_directories: tuple[str, ...] = ()
    versions: tuple[Statement, ...] = ()

    def component(self, name: str) -> Component:
        """Return the component of that name.

        Raises:
            KeyError: There is none.
        """
        for component in self.components:
            if component.name == name:
                return component
        raise KeyError(name)

    def objects(self) -> Iterator[tuple[str, ObjectRef]]:
        """Yield every live object with the name of the component or entry that applies it."""
        for entry in self.entries:
            for item in entry.objects:
                yield entry.name, item
        for component in self.components:
            for item in component.objects:
                yield component.name, item

    def errors(self) -> tuple[Finding, ...]:
        """Return the findings that make something fail."""
        return tuple(f for f in self.findings if f.severity is Severity.ERROR)

"""A private copy of a repository, as its faults see it: what lies in it, and hands to change it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from inventory import Component, Inventory, Position, TalosConfig
from lab.kubernetes.values import Json, Object, name_of
from lab.tools import LabTools

__all__ = ["Change", "DoesNotApplyError", "Tree", "find_list"]

Change = Callable[[Object], None]

_LISTS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_ENCRYPTED = "ENC["


class DoesNotApplyError(ValueError):
    """A repository has nothing that a fault could strike; the message says what it lacks."""


@dataclass(frozen=True, slots=True)
class Tree:
    """One cluster of a private copy; `changed` collects what was touched, in order."""

    root: Path
    inventory: Inventory
    tools: LabTools
    changed: list[str] = field(default_factory=list)

    @property
    def talos(self) -> TalosConfig:
        """The machines.

        Raises:
            DoesNotApplyError: the cluster is none of Talos.
        """
        if self.inventory.talos is None:
            raise DoesNotApplyError("the cluster has no talconfig.yaml")
        return self.inventory.talos

    def read(self, path: str) -> str:
        """Return a file's text.

        Raises:
            DoesNotApplyError: it is no text, or not there.
        """
        try:
            return (self.root / path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DoesNotApplyError(f"cannot be read: `{path}`") from error

    def write(self, path: str, content: str) -> None:
        """Write a file, and its folders."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
        self._note(path)

    def remove(self, path: str) -> None:
        """Remove a file."""
        (self.root / path).unlink()
        self._note(path)

    def change(self, path: str, change: Change, *, kind: str = "", name: str = "") -> None:
        """Change one document of a file: the first, or that of a kind and name.

        Raises:
            DoesNotApplyError: there is no such document, or the file is none of YAML.
        """
        documents = self._parse(path)
        found = [one for one in documents if not kind or one.get("kind") == kind]
        found = [one for one in found if not name or name_of(one) == name]
        if not found:
            raise DoesNotApplyError(f"has no {kind or 'document'} {name}: `{path}`")
        change(found[0])
        self.write(path, yaml.safe_dump_all(documents, sort_keys=False, width=10_000))

    def change_component(self, component: Component, change: Change) -> None:
        """Change a component's Kustomization."""
        path = component.position.path
        self.change(path, change, kind="Kustomization", name=component.name)

    def change_talos(self, change: Change) -> None:
        """Change talconfig.yaml."""
        self.change(self.talos.path, change)

    def list_resource(self, folder: str, name: str) -> None:
        """Name something more in a folder's kustomization.yaml."""

        def add(document: Object) -> None:
            listed = document.get("resources")
            document["resources"] = [*(listed if isinstance(listed, list) else ()), name]

        self.change(find_list(self.root, folder), add)

    def unlist(self, path: str) -> None:
        """Take a file or folder out of the kustomization that names it.

        Raises:
            DoesNotApplyError: none of the folders above names it.
        """
        folder, wanted = path, ""
        while "/" in folder:
            folder, _, last = folder.rpartition("/")
            wanted = f"{last}/{wanted}" if wanted else last
            if self._unlist_in(folder, wanted):
                return
        raise DoesNotApplyError(f"no kustomization above it names it: `{path}`")

    def add_object(self, component: Component, name: str, added: Object) -> str:
        """Put an object into a component; returns the path of its file."""
        path = f"{component.path}/{name}.yaml"
        self.write(path, yaml.safe_dump(added, sort_keys=False))
        self.list_resource(component.path, f"{name}.yaml")
        return path

    def list_components(self) -> Iterator[Component]:
        """Walk over the components that can be broken, the ones that most depends on last.

        They lie here in clear, build, and are neither the network nor Flux itself.
        """
        ranks = {layer.name: layer.rank for layer in self.inventory.layers}
        by_rank = sorted(
            self.inventory.components, key=lambda one: (-ranks.get(one.layer, -1), one.name)
        )
        for component in by_rank:
            is_fit = component.is_local and component.has_kustomization_file
            if is_fit and not component.suspend and not component.build_failed and component.path:
                yield component

    def pick_component(self, *, wants_release: bool = False) -> Component:
        """Return the component that least depends on.

        Raises:
            DoesNotApplyError: there is none.
        """
        for component in self.list_components():
            if component.releases or not wants_release:
                return component
        kind = "component with a HelmRelease" if wants_release else "component"
        raise DoesNotApplyError(f"it has no {kind} that could be broken")

    def pick_two(self) -> tuple[Component, Component]:
        """Return two components.

        Raises:
            DoesNotApplyError: there is one, or none.
        """
        match [*self.list_components()]:
            case [first, second, *_]:
                return first, second
            case _:
                raise DoesNotApplyError("it has fewer than two components")

    def is_clear(self, position: Position) -> bool:
        """Tell whether an object's file is not encrypted."""
        return _ENCRYPTED not in self.read(position.path)

    def _parse(self, path: str) -> list[Object]:
        try:
            documents = [*yaml.load_all(self.read(path), Loader=yaml.CSafeLoader)]
        except yaml.YAMLError as error:
            raise DoesNotApplyError(f"is not YAML: `{path}`") from error
        return [one for one in documents if isinstance(one, dict)]

    def _unlist_in(self, folder: str, wanted: str) -> bool:
        try:
            path = find_list(self.root, folder)
        except DoesNotApplyError:
            return False
        listed = next(iter(self._parse(path)), {}).get("resources")
        kept = [one for one in _texts(listed) if one.removeprefix("./").rstrip("/") != wanted]
        if len(kept) == len(_texts(listed)):
            return False
        left: list[Json] = [*kept]
        self.change(path, lambda document: document.update(resources=left))
        return True

    def _note(self, path: str) -> None:
        if path not in self.changed:
            self.changed.append(path)


def find_list(root: Path, folder: str) -> str:
    """Return the path of a folder's kustomization.yaml.

    Raises:
        DoesNotApplyError: it has none.
    """
    for name in _LISTS:
        if (root / folder / name).is_file():
            return f"{folder}/{name}"
    raise DoesNotApplyError(f"folder has no kustomization.yaml: `{folder}`")


def _texts(listed: Json) -> list[str]:
    return [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []

"""The files of a repository as Flux gets them: without what is ignored, and without links."""

# os.path is several times faster than pathlib over thousands of files.
# ruff: noqa: PTH118

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from inventory import flux
from inventory.discovery import Found
from inventory.model import Json, Position, SourceKey
from inventory.objects import get_at, get_mapping, kind_of, name_of, namespace_of
from inventory.sourceignore import IGNORE_FILE, IgnorePattern, IgnoreRules, read_patterns
from inventory.tree import Tree, join

__all__ = ["ArtifactTree", "explain_absence", "make_views"]

_GIT = "GitRepository"


class ArtifactTree(Tree):
    """A tree that shows what a GitRepository's artifact holds; all that was read is shared.

    source-controller packs regular files and folders only: a symbolic link is in none.
    """

    def __init__(self, tree: Tree, rules: IgnoreRules) -> None:
        vars(self).update(vars(tree))
        self._all = tree
        self._rules = rules
        self._shown: dict[str, bool] = {}

    def is_file(self, path: str) -> bool:
        """Say whether `path` is a regular file of the artifact."""
        return self._all.is_file(path) and not self._leaves_out(path, is_folder=False)

    def is_directory(self, path: str) -> bool:
        """Say whether `path` is a directory of the artifact, or one that holds a file of it."""
        return self._all.is_directory(path) and self._shows(path)

    def names(self, path: str) -> Sequence[tuple[str, bool]]:
        """Return (name, is a directory) of what `path` holds in the artifact, sorted."""
        return [
            (name, is_directory)
            for name, is_directory in self._all.names(path)
            if (
                self._shows(join(path, name))
                if is_directory
                else not self._leaves_out(join(path, name), is_folder=False)
            )
        ]

    def explain(self, path: str) -> str:
        """Say why something that is in Git is not in the artifact; "" where it is not in Git."""
        is_folder = self._all.is_directory(path)
        if not is_folder and not self._all.is_file(path):
            return ""
        if self._is_link(path):
            return "is or lies behind a symbolic link, which Flux leaves out of its artifact"
        found = self._rules.find(path, is_folder=is_folder)
        if found is None:
            return ""
        place = f" ({found.position})" if found.position else ", as by default"
        return f"is left out of Flux's artifact by `{found.written}`{place}"

    def _leaves_out(self, path: str, *, is_folder: bool) -> bool:
        is_ignored = self._rules.find(path, is_folder=is_folder) is not None
        return is_ignored or self._is_link(path)

    def _is_link(self, path: str) -> bool:
        real = self._inside(path)
        return real is not None and real != os.path.join(self.root, path) and path != "."

    def _shows(self, path: str) -> bool:
        known = self._shown.get(path)
        if known is None:
            known = self._shown[path] = path == "." or self._holds(path)
        return known

    def _holds(self, path: str) -> bool:
        """Say whether a folder is packed, or anything in it, which brings the folder back."""
        if self._is_link(path):
            return False
        if self._rules.find(path, is_folder=True) is None:
            return True
        return bool(self.names(path))


def explain_absence(tree: Tree, path: str) -> str:
    """Say why something that a tree does not show is left out; "" where it is not in Git."""
    return tree.explain(path) if isinstance(tree, ArtifactTree) else ""


def make_views(
    tree: Tree, found: Iterable[Found], sources: Iterable[SourceKey]
) -> Mapping[SourceKey, Tree]:
    """Show the tree as each of `sources` packs it; only Git's are packed by source-controller.

    A `.sourceignore` counts in folders that were looked through for Flux's objects, and above.
    """
    declared: dict[SourceKey, Found] = {}
    for item in found:
        if kind_of(item.value) == _GIT:
            declared.setdefault(_key_of(item), item)
    files = [pattern for path in _list_files(tree) for pattern in _read_file(tree, path)]
    views: dict[SourceKey, Tree] = {}
    for source in dict.fromkeys(sources):
        if source.kind == _GIT:
            own = declared.get(source)
            rules = IgnoreRules.of([*files, *(_read_field(own) if own else ())])
            views[source] = ArtifactTree(tree, rules)
    return views


def _key_of(item: Found) -> SourceKey:
    namespace = namespace_of(item.value) or flux.DEFAULT_NAMESPACE
    return SourceKey(kind_of(item.value), namespace, name_of(item.value))


def _list_files(tree: Tree) -> list[str]:
    """List the files of patterns, weaker ones first: those of a folder before those below it."""
    return sorted(tree.files_called(IGNORE_FILE), key=_find_domain)


def _find_domain(path: str) -> tuple[str, ...]:
    return tuple(path.split("/")[:-1])


def _read_file(tree: Tree, path: str) -> Iterable[IgnorePattern]:
    return read_patterns(tree.text(path) or "", _find_domain(path), Position(path))


def _read_field(item: Found) -> Iterable[IgnorePattern]:
    value: Json = get_at(get_mapping(item.value, "spec"), ("ignore",))
    place = item.document.locate("spec", "ignore")
    line = item.document.text.split("\n")[place.line - 1]
    if line[place.column - 1 : place.column] in ("|", ">"):
        place = Position(place.path, place.line + 1, 1)  # where the text of a block begins
    return read_patterns(value, (), place) if isinstance(value, str) else ()

"""What talconfig's patches say of the machine config, as far as Git holds them.

Fields: budimanjojo/talhelper v3.1 `pkg/config/config.go`: `patches` of the cluster, of each role
and of each node, a file (`@path`) or text, each a strategic merge or a list of JSON patch
operations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from inventory.documents import Document, parse_documents
from inventory.model import Json, JsonObject, Position, TalosConfig
from inventory.objects import get, get_at, get_list, get_mapping, get_text
from inventory.tree import Tree, join, normalise, parent

_Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class MachinePatch:
    """One patch as a merge; `for_workers` when control planes never see it.

    Attributes:
        document: The patch's file, where there is one to find places in.
        place: Where talconfig or a list of operations has the patch.
    """

    value: JsonObject = field(repr=False)
    place: Position
    document: Document | None = None
    for_workers: bool = False

    def find(self, *keys: str) -> tuple[Json, Position]:
        """Return the value under `keys`, None when the patch has none, and its place."""
        found = get(self.value, *keys)
        if found is not None and self.document is not None:
            return found, self.document.locate(*keys)
        return found, self.place


def read_machine_patches(tree: Tree, talos: TalosConfig) -> tuple[MachinePatch, ...]:
    """Return the patches in the order in which they apply; those that Git lacks are left out."""
    document = tree.document_at(talos.path, talos.position.line)
    return tuple(_read_all(tree, document)) if document is not None else ()


def _read_all(tree: Tree, document: Document) -> Iterator[MachinePatch]:
    for keys, for_workers in _sections(document.value):
        owner = get_at(document.value, keys)
        for index, text in enumerate(get_list(owner, "patches")):
            if isinstance(text, str):
                place = document.locate(*keys, "patches", index)
                yield from _read(tree, document.path, text, place, for_workers=for_workers)


def _sections(value: Json) -> Iterator[tuple[_Place, bool]]:
    yield (), False
    yield ("controlPlane",), False
    yield ("worker",), True
    for index, node in enumerate(get_list(value, "nodes")):
        yield ("nodes", index), get(node, "controlPlane") is not True


def _read(
    tree: Tree, path: str, text: str, place: Position, *, for_workers: bool
) -> Iterator[MachinePatch]:
    if text.startswith("@"):
        target = normalise(join(parent(path), text[1:]))
        documents = tree.documents(target) if target and tree.is_file(target) else ()
    else:
        documents = tuple(parse_documents("", text)[0])
    for document in documents:
        where = document if document.path else None
        if isinstance(document.value, Mapping):
            yield MachinePatch(document.value, place, where, for_workers)
        for index, operation in enumerate(get_list({"items": document.value}, "items")):
            at = place if where is None else where.locate(index)
            yield MachinePatch(_merge_of(operation), at, None, for_workers)


def _merge_of(operation: Json) -> JsonObject:
    """Return an `add` or `replace` operation as the merge that does the same."""
    if get_text(operation, "op") not in ("add", "replace"):
        return {}
    value = get(operation, "value")
    for key in reversed(get_text(operation, "path").strip("/").split("/")):
        value = {key: value}
    return get_mapping({"value": value}, "value")

"""Kustomize patches and their target selectors, as far as cluster repositories use them.

Values are never changed in place: each function returns a new object that shares untouched parts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from inventory.documents import parse_documents
from inventory.model import Json, JsonObject
from inventory.objects import (
    get_mapping,
    get_text,
    group_of,
    kind_of,
    name_of,
    namespace_of,
)
from inventory.regexes import compile_pattern
from inventory.scalars import resolve_old_scalar

# Kinds whose lists of named items merge by name; custom resources' lists are replaced.
_BUILT_IN_GROUPS = frozenset(
    {"", "apps", "batch", "networking.k8s.io", "rbac.authorization.k8s.io"}
)
_TERM = re.compile(
    r"\s*(!?)\s*([^\s!=,()]+)\s*(?:(notin|in)\s*\(([^)]*)\)|(==|=|!=)\s*([^\s,]*))?\s*"
)


class PatchError(ValueError):
    """A patch that cannot be read or does not fit; the message says why."""


@dataclass(frozen=True, slots=True)
class Patch:
    """One patch: JSON6902 operations or a strategic merge, and whom it is for."""

    target: JsonObject
    operations: tuple[JsonObject, ...] = ()
    merge: JsonObject | None = None

    def matches(self, value: JsonObject) -> bool:
        """Say whether the patch is for this object."""
        if self.target:
            return matches_selector(self.target, value)
        own = self.merge or {}
        return (
            group_of(own) == group_of(value)
            and kind_of(own) == kind_of(value)
            and name_of(own) == name_of(value)
            and namespace_of(own) in ("", namespace_of(value))
        )

    def apply(self, value: JsonObject) -> JsonObject | None:
        """Return the patched object; None when the patch deletes it."""
        if self.merge is not None:
            if self.merge.get("$patch") == "delete":
                return None
            merged = merge_objects(value, self.merge, group_of(value) in _BUILT_IN_GROUPS)
            return _keep_identity(value, merged) if self.target else merged
        result: Json = value
        for operation in self.operations:
            result = apply_operation(result, operation)
        return result if isinstance(result, Mapping) else value


def read_patches(text: str, target: JsonObject) -> tuple[Patch, ...]:
    """Read one `patch:` text.

    Raises:
        PatchError: The text is neither a list of operations nor objects.
    """
    return tuple(Patch(target, operations, merge) for operations, merge in _parse(text))


@lru_cache(maxsize=256)
def _parse(text: str) -> tuple[tuple[tuple[JsonObject, ...], JsonObject | None], ...]:
    documents, problems = parse_documents("", text)
    if any(isinstance(document.value, list) for document in documents):
        documents, problems = parse_documents("", text, resolve_old_scalar)  # unlike objects
    if problems:
        raise PatchError(f"patch is not valid YAML: {problems[0].message}")
    if text.lstrip().startswith("["):
        _require_json(text)
    found: list[tuple[tuple[JsonObject, ...], JsonObject | None]] = []
    for document in documents:
        value = document.value
        if isinstance(value, list):
            found.append((tuple(item for item in value if isinstance(item, Mapping)), None))
        elif isinstance(value, Mapping):
            found.append(((), value))
        else:
            raise PatchError("patch is neither an object nor a list of operations")
    return tuple(found)


def _require_json(text: str) -> None:
    """Refuse as kustomize does, which takes what begins with a bracket for JSON, never for YAML."""
    try:
        json.loads(text)
    except ValueError as error:
        raise PatchError(f"patch begins with `[` but is not JSON: {error}") from error


def matches_selector(target: JsonObject, value: JsonObject) -> bool:
    """Say whether a kustomize `target` selects the object; names are anchored expressions."""
    group, _, version = get_text(value, "apiVersion").rpartition("/")
    actual = {
        "group": group,
        "version": version,
        "kind": kind_of(value),
        "name": name_of(value),
        "namespace": namespace_of(value),
    }
    for field, text in actual.items():
        wanted = get_text(target, field)
        if wanted and not _anchored(wanted, text):
            return False
    labels, annotations = get_text(target, "labelSelector"), get_text(target, "annotationSelector")
    return matches_labels(labels, get_mapping(value, "metadata", "labels")) and matches_labels(
        annotations, get_mapping(value, "metadata", "annotations")
    )


def matches_labels(selector: str, labels: JsonObject) -> bool:
    """Say whether Kubernetes' label selector text selects these labels; empty selects all."""
    position = 0
    while position < len(selector):
        term = _TERM.match(selector, position)
        if term is None or term.end() == position:
            return False
        if not _matches_term(term, labels):
            return False
        position = term.end() + 1  # the comma
    return True


def _matches_term(term: re.Match[str], labels: JsonObject) -> bool:
    negation, key, operator, choices, comparison, value = term.groups()
    actual = labels.get(key)
    if operator:
        is_chosen = actual in {choice.strip() for choice in choices.split(",")}
        return is_chosen if operator == "in" else not is_chosen
    if comparison:
        return (actual == value) != (comparison == "!=")
    return (key in labels) != bool(negation)


def _anchored(pattern: str, text: str) -> bool:
    found = compile_pattern(pattern)
    return pattern == text if found is None else found.is_all_of(text)


def _keep_identity(before: JsonObject, after: dict[str, Json]) -> dict[str, Json]:
    """Undo a rename: with a target, the patch's own kind and name are only placeholders."""
    metadata = dict(get_mapping(after, "metadata"))
    for key in ("name", "namespace"):
        old = get_mapping(before, "metadata").get(key)
        if old is None:
            metadata.pop(key, None)
        else:
            metadata[key] = old
    return {
        **after,
        "apiVersion": before.get("apiVersion"),
        "kind": before.get("kind"),
        "metadata": metadata,
    }


def merge_objects(base: JsonObject, patch: JsonObject, merges_lists: bool) -> dict[str, Json]:  # noqa: FBT001
    """Merge `patch` over `base`: null deletes, `$patch` replaces, named items may merge."""
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    result = dict(base)
    for key, value in patch.items():
        if key == "$patch":
            continue
        if value is None or (isinstance(value, Mapping) and value.get("$patch") == "delete"):
            result.pop(key, None)
        else:
            result[key] = _merge_value(result.get(key), value, merges_lists)
    return result


def _merge_value(base: Json, patch: Json, merges_lists: bool) -> Json:  # noqa: FBT001
    if isinstance(patch, Mapping):
        return merge_objects(base if isinstance(base, Mapping) else {}, patch, merges_lists)
    if merges_lists and isinstance(patch, list) and isinstance(base, list):
        return _merge_lists(base, patch)
    return patch


def _merge_lists(base: Sequence[Json], patch: Sequence[Json]) -> list[Json]:
    if not all(isinstance(item, Mapping) and "name" in item for item in (*base, *patch)):
        return list(patch)
    result = [item for item in base if isinstance(item, Mapping)]
    for item in patch:
        if not isinstance(item, Mapping):
            continue
        index = next((i for i, old in enumerate(result) if old["name"] == item["name"]), None)
        if item.get("$patch") == "delete":
            result = [old for old in result if old["name"] != item["name"]]
        elif index is None:
            result.append(item)
        else:
            result[index] = merge_objects(result[index], item, merges_lists=True)
    return list(result)


def apply_operation(value: Json, operation: JsonObject) -> Json:
    """Apply one JSON6902 operation.

    Raises:
        PatchError: The path does not exist, a test fails or the operation is unknown.
    """
    name, path = get_text(operation, "op"), get_text(operation, "path")
    if name in ("move", "copy"):
        source = get_text(operation, "from")
        moved = _look(value, _pointer(source))
        without = _change(value, _pointer(source), "remove", None) if name == "move" else value
        return _change(without, _pointer(path), "add", moved)
    if name == "test":
        if _look(value, _pointer(path)) != operation.get("value"):
            raise PatchError(f"test failed: `{path}`")
        return value
    if name not in ("add", "replace", "remove"):
        raise PatchError(f"unknown patch operation: `{name}`")
    return _change(value, _pointer(path), name, operation.get("value"))


def _pointer(path: str) -> list[str]:
    if path and not path.startswith("/"):
        raise PatchError(f"patch path does not start with a slash: `{path}`")
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def _look(value: Json, keys: Sequence[str]) -> Json:
    for key in keys:
        if isinstance(value, Mapping) and key in value:
            value = value[key]
        elif isinstance(value, list):
            value = value[_index(key, len(value))]
        else:
            raise PatchError(f"patch path does not exist: `{key}`")
    return value


def _index(key: str, length: int) -> int:
    if not key.isdecimal() or int(key) >= length:
        raise PatchError(f"patch index does not exist: `{key}`")
    return int(key)


def _change(value: Json, keys: Sequence[str], name: str, new: Json) -> Json:
    if not keys:
        return new
    key, rest = keys[0], keys[1:]
    if isinstance(value, list):
        return _change_item(value, key, rest, name, new)
    if not isinstance(value, Mapping):
        raise PatchError(f"patch path does not exist: `{key}`")
    if key not in value and (rest or name != "add"):
        raise PatchError(f"patch path does not exist: `{key}`")
    copy = dict(value)
    if rest:
        copy[key] = _change(value[key], rest, name, new)
    elif name == "remove":
        del copy[key]
    else:
        copy[key] = new
    return copy


def _change_item(items: list[Json], key: str, rest: Sequence[str], name: str, new: Json) -> Json:
    copy = list(items)
    if not rest and name == "add":
        copy.insert(len(copy) if key == "-" else _index(key, len(copy) + 1), new)
        return copy
    index = _index(key, len(copy))
    if rest:
        copy[index] = _change(copy[index], rest, name, new)
    elif name == "remove":
        del copy[index]
    else:
        copy[index] = new
    return copy

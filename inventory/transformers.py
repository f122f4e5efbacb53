"""What a kustomization does to the objects it has gathered, in kustomize's own order.

https://github.com/kubernetes-sigs/kustomize/blob/master/api/internal/target/kusttarget_configplugin.go
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from inventory.model import Json, JsonObject
from inventory.objects import (
    get,
    get_flag,
    get_list,
    get_mapping,
    get_mappings,
    get_text,
    group_of,
    kind_of,
    name_of,
    with_value,
)
from inventory.patches import Patch, PatchError, matches_selector
from inventory.resources import Resource, is_cluster_scoped

_UNPREFIXED = frozenset({"CustomResourceDefinition", "APIService", "Namespace"})


def transform(resources: list[Resource], value: JsonObject) -> list[Resource]:
    """Apply everything of a kustomization `value` that comes after its patches."""
    namespace = get_text(value, "namespace")
    if namespace:
        resources = set_namespace(resources, namespace)
    prefix, suffix = get_text(value, "namePrefix"), get_text(value, "nameSuffix")
    if prefix or suffix:
        resources = add_affixes(resources, prefix, suffix)
    for key, added in _metadata_of(value):
        resources = add_metadata(resources, key, added)
    for replacement in get_mappings(value, "replacements"):
        resources = apply_replacement(resources, replacement)
    return resources


def patches_in(value: JsonObject) -> Iterator[tuple[tuple[str, int], JsonObject]]:
    """Yield the patches of a kustomization in the order they apply, with the keys to each."""
    for key in ("patchesStrategicMerge", "patches", "patchesJson6902"):
        for index, item in enumerate(get_list(value, key)):
            if key == "patchesStrategicMerge" and isinstance(item, str):
                yield (key, index), {"patch": item} if "\n" in item else {"path": item}
            elif isinstance(item, dict):
                yield (key, index), item


def set_namespace(resources: Iterable[Resource], namespace: str) -> list[Resource]:
    """Put every namespaced object into `namespace`; a Namespace object itself is renamed."""
    return [resource.changed(_with_namespace(resource.value, namespace)) for resource in resources]


def _with_namespace(value: JsonObject, namespace: str) -> JsonObject:
    if kind_of(value) == "Namespace" and group_of(value) == "":
        return with_value(value, ("metadata", "name"), namespace)
    if not is_cluster_scoped(value):
        value = with_value(value, ("metadata", "namespace"), namespace)
    if kind_of(value) in ("RoleBinding", "ClusterRoleBinding"):
        subjects: list[Json] = [
            {**subject, "namespace": namespace} if subject.get("name") == "default" else subject
            for subject in get_mappings(value, "subjects")
        ]
        return {**value, "subjects": subjects} if subjects else value
    return value


def add_affixes(resources: Iterable[Resource], prefix: str, suffix: str) -> list[Resource]:
    """Put `prefix` and `suffix` around names; kinds whose name is an identity are left."""
    return [
        resource
        if kind_of(resource.value) in _UNPREFIXED
        else replace(
            resource.renamed(prefix + name_of(resource.value) + suffix),
            affixes=(*resource.affixes, (prefix, suffix)),
        )
        for resource in resources
    ]


def add_metadata(resources: Iterable[Resource], key: str, added: JsonObject) -> list[Resource]:
    """Add labels or annotations (`key`) to the metadata of every object."""
    return [
        resource.changed(
            with_value(
                resource.value,
                ("metadata", key),
                {**get_mapping(resource.value, "metadata", key), **added},
            )
        )
        for resource in resources
    ]


def apply_patch(resources: Sequence[Resource], patch: Patch) -> list[Resource]:
    """Apply one patch to the objects it is for.

    Raises:
        PatchError: It fits no object although it names one, or its path does not exist.
    """
    result: list[Resource] = []
    has_matched = False
    for resource in resources:
        if not patch.matches(resource.value):
            result.append(resource)
            continue
        has_matched = True
        value = patch.apply(resource.value)
        if value is not None:
            result.append(resource.changed(value))
    if not has_matched and not patch.target:
        own = patch.merge or {}
        raise PatchError(f"patch fits no object: `{kind_of(own)}/{name_of(own)}`")
    return result


def apply_replacement(resources: Sequence[Resource], replacement: JsonObject) -> list[Resource]:
    """Copy one object's field into others (kustomize `replacements`)."""
    value = _source_value(resources, get_mapping(replacement, "source"))
    result = list(resources)
    if value is None:
        return result
    for target in get_mappings(replacement, "targets"):
        select = get_mapping(target, "select")
        paths = list(get_list_of_text(target, "fieldPaths")) or ["metadata.name"]
        creates = get_flag(target, "options", "create")
        for index, resource in enumerate(result):
            if matches_selector(select, resource.value):
                result[index] = resource.changed(_fill(resource.value, paths, value, creates))
    return result


def get_list_of_text(value: Json, key: str) -> tuple[str, ...]:
    """Return the texts of a list."""
    found = get(value, key)
    return tuple(item for item in found if isinstance(item, str)) if isinstance(found, list) else ()


def _source_value(resources: Sequence[Resource], source: JsonObject) -> Json:
    path = get_text(source, "fieldPath", default="metadata.name")
    selector = {key: value for key, value in source.items() if key not in ("fieldPath", "options")}
    for resource in resources:
        if matches_selector(selector, resource.value):
            return get(resource.value, *split_path(path))
    return None


def _fill(value: JsonObject, paths: Iterable[str], new: Json, creates: bool) -> JsonObject:  # noqa: FBT001
    for path in paths:
        keys = split_path(path)
        if creates or get(value, *keys) is not None:
            value = with_value(value, keys, new)
    return value


def split_path(path: str) -> list[str]:
    r"""Split a kustomize field path at its dots; `\.` and `[a.b]` keep a dot."""
    parts: list[str] = []
    current, depth, escaped = "", 0, False
    for character in path:
        if escaped:
            current, escaped = current + character, False
        elif character == "\\":
            escaped = True
        elif character == "." and depth == 0:
            parts.append(current)
            current = ""
        else:
            depth += (character == "[") - (character == "]")
            current += character
    return [*parts, current]


def _metadata_of(value: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    for name, key in (("commonLabels", "labels"), ("commonAnnotations", "annotations")):
        if get_mapping(value, name):
            yield key, get_mapping(value, name)
    for item in get_mappings(value, "labels"):
        yield "labels", get_mapping(item, "pairs")

"""What a kustomization changes by name: images, replicas, generated objects it adds to.

Tried with kustomize 5.8: `images` that match nothing are passed over in silence, `replicas` and
generators with `behavior: merge` or `replace` end the build.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from inventory.model import Json, JsonObject
from inventory.objects import (
    get_int,
    get_mapping,
    get_mappings,
    get_text,
    group_of,
    kind_of,
    name_of,
    namespace_of,
    with_value,
)
from inventory.resources import Resource

_SCALED: Final = frozenset(
    {
        ("apps", "Deployment"),
        ("apps", "StatefulSet"),
        ("apps", "ReplicaSet"),
        ("", "ReplicationController"),
    }
)
_CONTAINERS: Final = ("containers", "initContainers")
_TAGGED: Final = re.compile(r"(.*?)(:[\w.{}$-]*)?(@sha256:[\w{}$]*)?", re.DOTALL)


class Unmatched(NamedTuple):
    """An item that names nothing in its build."""

    rule: str
    message: str
    keys: tuple[str, int]


def override(
    resources: list[Resource], value: JsonObject
) -> tuple[list[Resource], list[Unmatched]]:
    """Apply `replicas` and `images`; return what they leave and what fits nothing."""
    unmatched: list[Unmatched] = []
    for index, item in enumerate(get_mappings(value, "replicas")):
        name = get_text(item, "name")
        fitting = {id(r) for r in resources if _is_scaled(r, name)}
        resources = [_scaled(r, item) if id(r) in fitting else r for r in resources]
        if not fitting:
            message = f"replicas are set for what the build does not hold: `{name}`"
            unmatched.append(Unmatched("unmatched-target", message, ("replicas", index)))
    for index, item in enumerate(get_mappings(value, "images")):
        changed = [_with_image(resource, item) for resource in resources]
        if all(new is old for new, old in zip(changed, resources, strict=True)):
            message = f"no container of the build has this image: `{get_text(item, 'name')}`"
            unmatched.append(Unmatched("unmatched-image", message, ("images", index)))
        resources = changed
    return resources, unmatched


def merge_generated(
    resources: list[Resource], kind: str, item: JsonObject, made: JsonObject
) -> bool:
    """Put a generator's data into the object that it adds to, in place; say if it is there."""
    found = _find(resources, kind, item)
    if found is None:
        return False
    old = resources[found]
    data = get_mapping(made, "data")
    if get_text(item, "behavior") == "merge":
        data = {**get_mapping(old.value, "data"), **data}
    resources[found] = old.changed({**old.value, "data": data})
    return True


def is_taken(resources: Sequence[Resource], kind: str, item: JsonObject) -> bool:
    """Say whether a build already has the object that a generator makes, hash or not."""
    wanted = (kind, get_text(item, "namespace"), get_text(item, "name"))
    values = (resource.value for resource in resources)
    return any((kind_of(v), namespace_of(v), name_of(v)) == wanted for v in values)


def _find(resources: Sequence[Resource], kind: str, item: JsonObject) -> int | None:
    """Return the place of an object; kustomize knows its names before prefix and suffix, too."""
    name, namespace = get_text(item, "name"), get_text(item, "namespace")
    fitting = [
        (name_of(resource.value) != name, index)
        for index, resource in enumerate(resources)
        if kind_of(resource.value) == kind
        and name in (name_of(resource.value), *resource.names)
        and namespace in ("", namespace_of(resource.value))
    ]
    return min(fitting)[1] if fitting else None


def _is_scaled(resource: Resource, name: str) -> bool:
    value = resource.value
    # Prefixes and suffixes come before; kustomize knows both names.
    return (group_of(value), kind_of(value)) in _SCALED and bool(name) and name in name_of(value)


def _scaled(resource: Resource, item: JsonObject) -> Resource:
    return resource.changed(
        with_value(resource.value, ("spec", "replicas"), get_int(item, "count"))
    )


def _with_image(resource: Resource, item: JsonObject) -> Resource:
    """Return the very same resource where no container has the image."""
    value = resource.value
    changed = {key: _changed(inner, item) for key, inner in value.items()}
    is_same = all(changed[key] is inner for key, inner in value.items())
    return resource if is_same else resource.changed(changed)


def _changed(value: Json, item: JsonObject) -> Json:
    if isinstance(value, list):
        made = [_changed(inner, item) for inner in value]
        return made if any(a is not b for a, b in zip(made, value, strict=True)) else value
    if not isinstance(value, dict):
        return value
    pairs = dict(_pairs(value, item))
    return pairs if any(pairs[key] is not value[key] for key in value) else value


def _pairs(value: Mapping[str, Json], item: JsonObject) -> Iterator[tuple[str, Json]]:
    for key, inner in value.items():
        if key in _CONTAINERS and isinstance(inner, list):
            yield key, _containers(inner, item)
        else:
            yield key, _changed(inner, item)


def _containers(containers: Sequence[Json], item: JsonObject) -> Json:
    made = [_container(container, item) for container in containers]
    is_same = all(a is b for a, b in zip(made, containers, strict=True))
    return containers if is_same else made


def _container(container: Json, item: JsonObject) -> Json:
    image = get_text(container, "image")
    match = _TAGGED.fullmatch(image)
    if not isinstance(container, dict) or match is None or match[1] != get_text(item, "name"):
        return container
    name = get_text(item, "newName") or match[1]
    tag, digest = get_text(item, "newTag"), get_text(item, "digest")
    if digest:
        rest = f"@{digest}"
    elif tag:
        rest = f":{tag}"
    else:
        rest = f"{match[2] or ''}{get_text(item, 'tagSuffix')}{match[3] or ''}"
    return {**container, "image": name + rest}

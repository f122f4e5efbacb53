"""Names that kustomize changes, and the references that it changes with them.

Prefixes, suffixes and the hash of generated objects change a name; kustomize then follows the
fields of Kubernetes' own kinds that refer to it, and those that `configurations` name. Fields of
other kinds, such as a HelmRelease's `valuesFrom`, keep the name as it was written.
https://github.com/kubernetes-sigs/kustomize/tree/master/api/internal/konfig/builtinpluginconsts
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from inventory.generators import digest_of
from inventory.model import Json
from inventory.objects import get_mappings, get_text, group_of, kind_of, name_of, namespace_of
from inventory.resources import CLUSTER_KINDS, Resource

_NATIVE_GROUPS: Final = frozenset(
    {"", "apps", "batch", "autoscaling", "policy"} | {group for group, _ in CLUSTER_KINDS}
)
# Under these keys lies an object with a name, or a list of such.
_HOLDERS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("configMap", "configMapRef", "configMapKeyRef"), "ConfigMap"),
    **dict.fromkeys(("secret", "secretRef", "secretKeyRef", "imagePullSecrets"), "Secret"),
    "service": "Service",
    "subjects": "ServiceAccount",  # of whatever kind a subject is
}
# Under these keys lies a name.
_NAMES: Final[Mapping[str, str]] = {
    "secretName": "Secret",
    "serviceAccountName": "ServiceAccount",
    "claimName": "PersistentVolumeClaim",
    "serviceName": "Service",
}
_TYPED: Final = ("roleRef", "scaleTargetRef")  # with the kind in the reference itself


class NameSpec(NamedTuple):
    """One `nameReference` of a configuration file.

    Attributes:
        target: Kind of the objects that are referred to.
        kind: Kind of those that refer; empty for any.
    """

    target: str
    kind: str
    path: tuple[str, ...]


def read_name_specs(value: Json) -> Iterator[NameSpec]:
    """Yield what a file of `configurations` adds to the fields that refer to names."""
    for item in get_mappings(value, "nameReference"):
        for spec in get_mappings(item, "fieldSpecs"):
            path = tuple(part for part in get_text(spec, "path").split("/") if part)
            yield NameSpec(get_text(item, "kind"), get_text(spec, "kind"), path)


def settle_names(resources: Sequence[Resource], specs: Sequence[NameSpec]) -> list[Resource]:
    """Give generated objects their hash, and follow every changed name."""
    named = [_hashed(resource) if resource.needs_hash else resource for resource in resources]
    index: dict[tuple[str, str], list[Resource]] = {}
    for resource in named:
        for name in dict.fromkeys(resource.names):
            index.setdefault((kind_of(resource.value), name), []).append(resource)
    return [_follow(resource, index, specs) for resource in named] if index else named


def _hashed(resource: Resource) -> Resource:
    name = name_of(resource.value)
    return resource.renamed(f"{name}-{digest_of(resource.value)}")


_Index = Mapping[tuple[str, str], Sequence[Resource]]
_Rename = Callable[[str, str], str]


def _follow(resource: Resource, index: _Index, specs: Iterable[NameSpec]) -> Resource:
    """Return a resource whose references name what things are called now."""

    def rename(kind: str, name: str) -> str:
        space = namespace_of(resource.value)
        found = [r for r in index.get((kind, name), ()) if namespace_of(r.value) == space]
        near = [r for r in found if r.affixes == resource.affixes] if len(found) > 1 else found
        return name_of(near[0].value) if len(near) == 1 else name

    value: Json = resource.value
    if group_of(resource.value) in _NATIVE_GROUPS:
        value = _native(value, rename)
    for spec in specs:
        if spec.kind in ("", kind_of(resource.value)):
            value = _at_path(value, spec.path, spec.target, rename)
    return resource.changed(value) if isinstance(value, dict) else resource


def _native(value: Json, rename: _Rename) -> Json:
    if isinstance(value, list):
        return [_native(item, rename) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _field(key, item, rename) for key, item in value.items()}


def _field(key: str, item: Json, rename: _Rename) -> Json:
    if isinstance(item, str):
        return rename(_NAMES[key], item) if key in _NAMES else item
    inner = _native(item, rename)
    if key in _HOLDERS or key in _TYPED:
        parts = inner if isinstance(inner, list) else [inner]
        done = [_holder(part, _HOLDERS.get(key, ""), rename) for part in parts]
        return done if isinstance(inner, list) else done[0]
    return inner


def _holder(part: Json, kind: str, rename: _Rename) -> Json:
    name = get_text(part, "name")
    if not isinstance(part, dict) or not name:
        return part
    return {**part, "name": rename(kind or kind_of(part), name)}


def _at_path(value: Json, path: Sequence[str], kind: str, rename: _Rename) -> Json:
    if isinstance(value, list):
        return [_at_path(item, path, kind, rename) for item in value]
    if not path:
        return rename(kind, value) if isinstance(value, str) else value
    if not isinstance(value, dict) or path[0] not in value:
        return value
    return {**value, path[0]: _at_path(value[path[0]], path[1:], kind, rename)}

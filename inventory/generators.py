"""ConfigMaps and Secrets that a kustomization generates, named with kustomize's own hash."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping

from inventory.model import Json, JsonObject
from inventory.objects import (
    get_flag,
    get_mapping,
    get_strings,
    get_text,
    group_of,
    kind_of,
    name_of,
)
from inventory.resources import CLUSTER_KINDS, Resource

_HTML = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
_WORKLOAD_GROUPS = frozenset({"", "apps", "batch"} | {group for group, _ in CLUSTER_KINDS})


def generate(
    kind: str, item: JsonObject, read_file: Callable[[str], str | None], *, has_hash: bool
) -> tuple[JsonObject, str]:
    """Return the object of one generator item, and its name without the hash."""
    data = _data(item, read_file)
    name = get_text(item, "name")
    content: dict[str, Json] = {"data": data}
    if kind == "Secret":
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
        content = {"data": encoded, "type": get_text(item, "type", default="Opaque")}
    if has_hash and not get_flag(item, "options", "disableNameSuffixHash"):
        full_name = f"{name}-{_digest_of({**content, 'kind': kind})}"
    else:
        full_name = name
    metadata: dict[str, Json] = {"name": full_name}
    if get_text(item, "namespace"):
        metadata["namespace"] = get_text(item, "namespace")
    for key in ("labels", "annotations"):
        if get_mapping(item, "options", key):
            metadata[key] = get_mapping(item, "options", key)
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **content}, name


def rename_after(old: JsonObject, new: JsonObject) -> str:
    """Return what a generated object is called once its content has changed."""
    name = name_of(old)
    bare, _, digest = name.rpartition("-")
    return f"{bare}-{_digest_of(new)}" if bare and digest == _digest_of(old) else name


def _digest_of(value: JsonObject) -> str:
    content = {key: value[key] for key in ("data", "type") if key in value}
    # Kustomize looks the name up under a path that never exists, so it hashes an empty one.
    return _hash({**content, "kind": kind_of(value), "name": ""})


def rename_references(
    resources: Iterable[Resource], kind: str, names: Mapping[str, str]
) -> list[Resource]:
    """Point workloads to the hashed names of generated objects."""
    if not names:
        return list(resources)
    keys = {"configMap", "configMapRef", "configMapKeyRef"}
    if kind == "Secret":
        keys = {"secret", "secretRef", "secretKeyRef"}
    return [
        resource.changed(_renamed_object(resource.value, keys, names))
        if group_of(resource.value) in _WORKLOAD_GROUPS
        else resource
        for resource in resources
    ]


def _data(item: JsonObject, read_file: Callable[[str], str | None]) -> dict[str, str]:
    data: dict[str, str] = {}
    for path in (*get_strings(item, "envs"), get_text(item, "env")):
        if path:
            data.update(_pairs((read_file(path) or "").splitlines()))
    data.update(_pairs(get_strings(item, "literals")))
    for spec in get_strings(item, "files"):
        key, _, path = spec.rpartition("=")
        data[key or path.rpartition("/")[2]] = read_file(path) or ""
    return data


def _pairs(lines: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        key, separator, value = line.strip().partition("=")
        if separator and not key.startswith("#"):
            found[key] = value.strip("\"'")
    return found


def _hash(content: JsonObject) -> str:
    """Return kustomize's name suffix: Go's JSON (which escapes HTML), hashed, in safe letters."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(text.translate(_HTML).encode()).hexdigest()[:10]
    return digest.translate(str.maketrans("013ae", "ghkmt"))


def _renamed_object(value: JsonObject, keys: set[str], names: Mapping[str, str]) -> JsonObject:
    renamed = _renamed(value, keys, names)
    return renamed if isinstance(renamed, dict) else value


def _renamed(value: Json, keys: set[str], names: Mapping[str, str]) -> Json:
    if isinstance(value, list):
        return [_renamed(item, keys, names) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _with_name(item, names)
        if key in keys and isinstance(item, dict)
        else _renamed(item, keys, names)
        for key, item in value.items()
    }


def _with_name(reference: dict[str, Json], names: Mapping[str, str]) -> JsonObject:
    return {
        key: names.get(item, item)
        if key in ("name", "secretName") and isinstance(item, str)
        else item
        for key, item in reference.items()
    }

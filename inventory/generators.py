"""ConfigMaps and Secrets that a kustomization generates, named with kustomize's own hash."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable

from inventory.model import Json, JsonObject
from inventory.objects import get_flag, get_mapping, get_strings, get_text, kind_of

_HTML = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def generate(
    kind: str, item: JsonObject, read_file: Callable[[str], str | None], options: JsonObject
) -> JsonObject:
    """Return the object of one generator item, without the hash of its name.

    Args:
        kind: ConfigMap or Secret.
        item: The item.
        read_file: Returns the text of a file that it names.
        options: The kustomization's `generatorOptions`.
    """
    data = _data(item, read_file)
    content: dict[str, Json] = {"data": data}
    if kind == "Secret":
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
        content = {"data": encoded, "type": get_text(item, "type", default="Opaque")}
    if get_flag(options, "immutable") or get_flag(item, "options", "immutable"):
        content["immutable"] = True
    metadata: dict[str, Json] = {"name": get_text(item, "name")}
    if get_text(item, "namespace"):
        metadata["namespace"] = get_text(item, "namespace")
    for key in ("labels", "annotations"):
        added = {**get_mapping(options, key), **get_mapping(item, "options", key)}
        if added:
            metadata[key] = added
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **content}


def has_hash(item: JsonObject, options: JsonObject) -> bool:
    """Say whether the name of a generated object ends with the hash of its content."""
    key = "disableNameSuffixHash"
    return not (get_flag(options, key) or get_flag(item, "options", key))


def digest_of(value: JsonObject) -> str:
    """Return the hash of a ConfigMap or Secret as kustomize puts it behind the name."""
    content = {key: value[key] for key in ("data", "type") if key in value}
    # Kustomize looks the name up under a path that never exists, so it hashes an empty one.
    return _hash({**content, "kind": kind_of(value), "name": ""})


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

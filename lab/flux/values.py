"""The values of a release: `valuesFrom` in order, then `values`, merged as Helm merges."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import yaml

from lab.flux.objects import Context
from lab.kubernetes.values import Json, Object, at, clone_map, maps, namespace_of, text

__all__ = ["ValuesError", "compose_values"]


class ValuesError(Exception):
    """A referenced ConfigMap or Secret is missing, lacks the key, or holds no YAML."""


async def compose_values(context: Context, release: Object) -> Object:
    """Compose the values of a HelmRelease.

    Raises:
        ValuesError: a reference that is not optional cannot be read.
    """
    values: Object = {}
    for reference in maps(release, "spec", "valuesFrom"):
        content = await _read(context, release, reference)
        if content is None:
            continue
        path = text(reference, "targetPath")
        if path:
            _set(values, path, content)
            continue
        loaded: Json = yaml.load(content, Loader=yaml.CSafeLoader)
        if isinstance(loaded, dict):
            values = _merge(values, loaded)
        elif loaded is not None:
            raise ValuesError(f"unable to read values from {_show(release, reference)}")
    return _merge(values, at(release, "spec", "values"))


async def _read(context: Context, release: Object, reference: Object) -> str | None:
    kind, name = text(reference, "kind"), text(reference, "name")
    key = text(reference, "valuesKey") or "values.yaml"
    found = await context.client.find("v1", kind, name, namespace_of(release))
    value = at(found, "data").get(key) if found is not None else None
    if isinstance(value, str):
        return base64.b64decode(value).decode() if kind == "Secret" else value
    if reference.get("optional") is True:
        return None
    why = "key not found" if found is not None else f'{kind.lower()}s "{name}" not found'
    raise ValuesError(f"could not resolve {_show(release, reference)} with key '{key}': {why}")


def _show(release: Object, reference: Object) -> str:
    name = text(reference, "name")
    return f"{text(reference, 'kind')} chart values reference '{namespace_of(release)}/{name}'"


def _merge(below: Mapping[str, Json], above: Mapping[str, Json]) -> Object:
    merged = clone_map(dict(below))
    for key, value in above.items():
        held = merged.get(key)
        if isinstance(held, dict) and isinstance(value, dict):
            merged[key] = _merge(held, value)
        else:
            merged[key] = value
    return merged


def _set(values: Object, path: str, content: str) -> None:
    """Set one value as `helm --set` would: dots part the keys, an escaped one is a dot."""
    keys = [key.replace("\0", ".") for key in path.replace("\\.", "\0").split(".")]
    loaded: Json = yaml.load(content, Loader=yaml.CSafeLoader)
    place = values
    for key in keys[:-1]:
        inner = place.get(key)
        if not isinstance(inner, dict):
            inner = {}
            place[key] = inner
        place = inner
    place[keys[-1]] = loaded

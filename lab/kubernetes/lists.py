"""How lists of objects merge: which are keyed, and by what.

The real API server knows it from `x-kubernetes-list-type` in the schema of each kind. Here the
built-in kinds follow a table by field name, and CRDs their own schema.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from lab.kubernetes.kinds import Kind
from lab.kubernetes.values import Json, Object, at, text, texts

__all__ = ["ATOMIC", "SET", "ListRule", "item_key", "list_rule"]

# A rule for one list: the keys of its items, `SET` (of plain values) or `ATOMIC`.
ListRule = Callable[[tuple[str, ...]], tuple[str, ...]]
SET = ("*",)
ATOMIC: tuple[str, ...] = ()

# From `+listMapKey` and `patchMergeKey` of k8s.io/api.
_BUILTIN: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "imagePullSecrets": ("name",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "conditions": ("type",),
    "ownerReferences": ("uid",),
    "finalizers": SET,
    "webhooks": ("name",),
    "addresses": ("type",),
    "taints": ("key", "effect"),
}


def list_rule(kind: Kind) -> ListRule:
    """Find the rule for the lists of a kind; it takes the field names down to the list."""
    if not kind.crd:
        return _of_builtin
    schema = kind.schema

    def of_custom(path: tuple[str, ...]) -> tuple[str, ...]:
        if path[:1] == ("metadata",):
            return _of_builtin(path)
        return _of_schema(schema, path)

    return of_custom


def item_key(keys: tuple[str, ...], item: Json) -> str:
    """Name one item of a list as `FieldsV1` does: `k:{"name":"x"}` or `v:"x"`."""
    if keys == SET:
        return "v:" + json.dumps(item, separators=(",", ":"))
    found: Object = {}
    for key in sorted(keys):
        value = item.get(key) if isinstance(item, dict) else None
        if value is None and key == "protocol":
            value = "TCP"
        if value is not None:
            found[key] = value
    return "k:" + json.dumps(found, separators=(",", ":"))


def _of_builtin(path: tuple[str, ...]) -> tuple[str, ...]:
    field = path[-1] if path else ""
    if field == "ports":
        inside = path[-2] if len(path) > 1 else ""
        container = inside in {"containers", "initContainers", "ephemeralContainers"}
        return ("containerPort", "protocol") if container else ("port", "protocol")
    return _BUILTIN.get(field, ATOMIC)


def _of_schema(schema: Object, path: tuple[str, ...]) -> tuple[str, ...]:
    for field in path:
        while text(schema, "type") == "array":
            schema = at(schema, "items")
        inner = at(schema, "properties", field)
        schema = inner or at(schema, "additionalProperties")
    match text(schema, "x-kubernetes-list-type"):
        case "map":
            return tuple(texts(schema, "x-kubernetes-list-map-keys"))
        case "set":
            return SET
        case _:
            return ATOMIC

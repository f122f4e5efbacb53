"""Strategic merge of machine config documents, by the rules of Talos' `config/merge`.

Scalars replace, mappings merge, lists are concatenated, except where Talos' structs say otherwise:
pod and service subnets and the audit policy replace, interfaces merge by name, admission plugins
by name. Documents meet by `apiVersion`, `kind` and `name`. `$patch: delete` removes.
"""

from __future__ import annotations

import copy

from lab.standins.values import Json, JsonMap, as_list, as_map, as_text

__all__ = ["apply_patch", "merge_documents"]

_REPLACED = frozenset(
    {
        ("cluster", "network", "podSubnets"),
        ("cluster", "network", "serviceSubnets"),
        ("cluster", "apiServer", "auditPolicy"),
        ("ingress",),
        ("portSelector", "ports"),
    }
)
# Lists whose elements have an identity.
_KEYED: dict[tuple[str, ...], str] = {
    ("machine", "network", "interfaces"): "interface",
    ("cluster", "apiServer", "admissionControl"): "name",
}
# Maps that Go types as text to text: a bare number in a patch becomes its text.
_TEXT_MAPS = frozenset(
    {
        ("machine", "sysctls"),
        ("machine", "sysfs"),
        ("machine", "env"),
        ("machine", "nodeLabels"),
        ("machine", "nodeAnnotations"),
        ("machine", "nodeTaints"),
    }
)


def merge_documents(base: list[JsonMap], patch: list[JsonMap]) -> list[JsonMap]:
    """Merge the documents of a patch into those of a config; unknown ones are appended."""
    merged = [copy.deepcopy(item) for item in base]
    index = {_identify(item): item for item in merged}
    for document in patch:
        target = index.get(_identify(document))
        if target is None:
            merged.append(copy.deepcopy(document))
        elif document.get("$patch") == "delete":
            merged.remove(target)
        else:
            _merge_map(target, document, ())
    return merged


def apply_patch(base: list[JsonMap], operations: list[JsonMap]) -> list[JsonMap]:
    """Apply a JSON patch (RFC 6902: add, replace, remove) to the v1alpha1 document."""
    patched = [copy.deepcopy(item) for item in base]
    for operation in operations:
        path = [
            part.replace("~1", "/").replace("~0", "~")
            for part in as_text(operation.get("path")).split("/")[1:]
        ]
        _apply_operation(patched[0], path, operation)
    return patched


def _identify(document: JsonMap) -> tuple[str, str, str]:
    if "kind" not in document:
        return ("v1alpha1", "", "")
    return (
        as_text(document.get("apiVersion")),
        as_text(document.get("kind")),
        as_text(document.get("name")),
    )


def _merge_map(left: JsonMap, right: JsonMap, path: tuple[str, ...]) -> None:
    for key, value in right.items():
        here = (*path, key)
        if isinstance(value, dict) and value.get("$patch") == "delete":
            left.pop(key, None)
            continue
        left[key] = _merge_value(left.get(key), value, here)


def _merge_value(left: Json, right: Json, path: tuple[str, ...]) -> Json:
    if right is None or (right == "" and path[-1:] != ("hostname",) and left is not None):
        return left
    if isinstance(right, dict) and path not in _REPLACED:
        merged = copy.deepcopy(as_map(left))
        _merge_map(merged, right, path)
        return _stringify(merged) if path in _TEXT_MAPS or path[-1] == "extraArgs" else merged
    if isinstance(right, list) and path not in _REPLACED:
        return _merge_list(as_list(left), right, path)
    return copy.deepcopy(right)


def _merge_list(left: list[Json], right: list[Json], path: tuple[str, ...]) -> Json:
    identity = _KEYED.get(path)
    if identity is None:
        return [*left, *copy.deepcopy(right)]
    merged = list(left)
    for item in right:
        wanted = as_map(item).get(identity)
        same = next((old for old in merged if wanted and as_map(old).get(identity) == wanted), None)
        if isinstance(same, dict):
            _merge_map(same, as_map(item), (*path, "*"))
        else:
            merged.append(copy.deepcopy(item))
    return merged


def _stringify(values: JsonMap) -> JsonMap:
    return {
        key: value if isinstance(value, list | dict) else as_text(value)
        for key, value in values.items()
    }


def _apply_operation(root: JsonMap, path: list[str], operation: JsonMap) -> None:
    target: Json = root
    for part in path[:-1]:
        target = target[int(part)] if isinstance(target, list) else as_map(target).get(part)
    last, kind, value = path[-1], operation.get("op"), copy.deepcopy(operation.get("value"))
    if isinstance(target, list):
        if kind == "remove":
            target.pop(int(last))
        elif kind == "replace":
            target[int(last)] = value
        else:
            target.insert(len(target) if last == "-" else int(last), value)
    elif isinstance(target, dict):
        if kind == "remove":
            target.pop(last, None)
        else:
            target[last] = value

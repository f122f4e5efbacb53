"""Checks of amounts of memory, processors and storage, as Kubernetes reads them.

https://github.com/kubernetes/apimachinery/blob/master/pkg/api/resource/quantity.go
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from inventory.checks.facts import Facts
from inventory.flux import HELM_GROUP
from inventory.model import Finding, Json, ObjectRef
from inventory.objects import children, get, get_mapping
from inventory.rules import make_finding

_QUANTITY: Final = re.compile(
    r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?\Z"
)
_AMOUNTS: Final = frozenset({"cpu", "memory", "storage", "ephemeral-storage"})
_KINDS: Final = (
    *("PersistentVolumeClaim", "Pod", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"),
    "HelmRelease",
)
_Keys: TypeAlias = tuple[str | int, ...]


def check_quantities(facts: Facts) -> Iterator[Finding]:
    """Yield amounts that are refused, such as `512 Mi` or `10GB`."""
    for kind in _KINDS:
        for _, item in facts.of_kind(kind):
            for keys, value in _amounts(item):
                text = facts.fill(value)
                is_known = "${" not in text and "{{" not in text  # variables, charts' templates
                if is_known and not _QUANTITY.match(text):
                    name = ".".join(map(str, keys))
                    message = f"`{name}` of {item} is no amount: `{text}`"
                    yield make_finding(
                        "malformed-quantity", message, facts.locate(item.position, *keys)
                    )


def _amounts(item: ObjectRef) -> Iterator[tuple[_Keys, str]]:
    """Yield texts where an amount belongs; numbers are always right."""
    yield from _resources(get(item.raw, "spec"), ("spec",))
    if item.group == HELM_GROUP:
        for name, volume in get_mapping(item.raw, "spec", "values", "persistence").items():
            size = get(volume, "size")
            if isinstance(size, str) and size:
                yield ("spec", "values", "persistence", name, "size"), size


def _resources(value: Json, keys: _Keys) -> Iterator[tuple[_Keys, str]]:
    for key, inner in children(value):
        if not isinstance(inner, (dict, list)):
            continue
        place = (*keys, key)
        if key == "resources" and isinstance(inner, Mapping):
            for part in ("limits", "requests"):
                for name, amount in get_mapping(inner, part).items():
                    if name in _AMOUNTS and isinstance(amount, str) and amount:
                        yield (*place, part, name), amount
        yield from _resources(inner, place)

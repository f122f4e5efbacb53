"""Checks of values whose type the API server refuses: a number where a text belongs, and so on.

Kustomize makes texts of the labels and annotations of an object's own metadata, of nothing else.
Flux substitutes in YAML text, so even a quoted `${PORT}` becomes a number where its value is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from inventory.checks.facts import Facts
from inventory.flux import HELM_GROUP, KUSTOMIZE_GROUP, SOURCE_GROUP
from inventory.model import Component, Entry, Finding, Json, ObjectRef
from inventory.rules import make_finding
from inventory.substitution import SubstitutionError, is_disabled, substitute_known

_Keys: TypeAlias = tuple[str | int, ...]
_ENCRYPTED: Final = re.compile(r"ENC\[AES256_GCM,.*,type:(int|float|bool)\]\Z")
_ANY: Final = "*"  # every value of a mapping
_EACH: Final = "[]"  # every item of a list


class _Place(NamedTuple):
    """Where a value of a certain type belongs."""

    wanted: type
    path: tuple[str, ...]


def _places(wanted: type, *paths: str) -> tuple[_Place, ...]:
    return tuple(_Place(wanted, tuple(path.split("."))) for path in paths)


def _below(prefix: str, places: Sequence[_Place]) -> tuple[_Place, ...]:
    return tuple(_Place(place.wanted, (*prefix.split("."), *place.path)) for place in places)


_CONTAINER: Final = (
    *_places(str, "image", "env.[].value", "command.[]", "args.[]"),
    *_places(
        bool,
        "securityContext.privileged",
        "securityContext.readOnlyRootFilesystem",
        "securityContext.runAsNonRoot",
        "securityContext.allowPrivilegeEscalation",
    ),
    *_places(int, "ports.[].containerPort", "ports.[].hostPort"),
)
_POD: Final = (
    *_places(str, "nodeSelector.*"),
    *_places(bool, "hostNetwork", "hostPID", "hostUsers", "automountServiceAccountToken"),
    *_below("containers.[]", _CONTAINER),
    *_below("initContainers.[]", _CONTAINER),
)
_TEMPLATE: Final = (
    *_places(str, "metadata.labels.*", "metadata.annotations.*"),
    *_below("spec", _POD),
)
_WORKLOAD: Final = (
    *_places(str, "spec.selector.matchLabels.*"),
    *_places(int, "spec.replicas"),
    *_below("spec.template", _TEMPLATE),
)
_SOURCE: Final = (
    *_places(str, "spec.url", "spec.interval", "spec.timeout", "spec.ref.tag", "spec.ref.semver"),
    *_places(str, "spec.ref.branch", "spec.ref.commit"),
    *_places(bool, "spec.suspend"),
)
_METADATA: Final = _places(str, "metadata.labels.*", "metadata.annotations.*")
_KINDS: Final[Mapping[tuple[str, str], tuple[_Place, ...]]] = {
    ("", "ConfigMap"): _places(str, "data.*", "binaryData.*"),
    ("", "Secret"): _places(str, "data.*", "stringData.*"),
    ("", "Service"): (
        *_places(str, "spec.selector.*", "spec.loadBalancerIP"),
        *_places(int, "spec.ports.[].port", "spec.ports.[].nodePort"),
    ),
    ("", "Pod"): _below("spec", _POD),
    **{("apps", kind): _WORKLOAD for kind in ("Deployment", "StatefulSet", "DaemonSet")},
    ("batch", "Job"): _below("spec.template", _TEMPLATE),
    ("batch", "CronJob"): _below("spec.jobTemplate.spec.template", _TEMPLATE),
    (HELM_GROUP, "HelmRelease"): (
        *_places(str, "spec.chart.spec.version", "spec.interval", "spec.timeout"),
        *_places(str, "spec.releaseName", "spec.targetNamespace"),
        *_places(bool, "spec.suspend"),
    ),
    (KUSTOMIZE_GROUP, "Kustomization"): (
        *_places(str, "spec.path", "spec.interval", "spec.timeout", "spec.retryInterval"),
        *_places(str, "spec.targetNamespace", "spec.postBuild.substitute.*"),
        *_places(str, "spec.commonMetadata.labels.*", "spec.commonMetadata.annotations.*"),
        *_places(bool, "spec.prune", "spec.wait", "spec.force", "spec.suspend"),
    ),
    **{
        (SOURCE_GROUP, kind): _SOURCE
        for kind in ("GitRepository", "HelmRepository", "OCIRepository", "Bucket")
    },
}
_WORDS: Final[Mapping[type, str]] = {str: "text", bool: "true or false", int: "a number"}


def check_types(facts: Facts) -> Iterator[Finding]:
    """Yield values that end the dry run with which Flux begins to apply anything."""
    owners: Sequence[Entry | Component] = (*facts.inventory.entries, *facts.inventory.components)
    for owner in owners:
        variables = facts.inventory.variables.substitution(owner.substitute_from)
        values = {**variables, **owner.substitute}
        for item in owner.objects:
            yield from _judge(facts, item, {} if is_disabled(item.raw) else values)


def _judge(facts: Facts, item: ObjectRef, values: Mapping[str, str]) -> Iterator[Finding]:
    for wanted, path in (*_METADATA, *_KINDS.get((item.group, item.kind), ())):
        for keys, written in _find(item.raw, path, ()):
            read = _fill(written, values)
            if path[0] == "metadata" and read is written:
                continue
            found = _describe_wrong(read, wanted)
            if found:
                name = ".".join(map(str, keys))
                source = f", from `{written}`" if read is not written else ""
                message = f"`{name}` of {item} must be {_WORDS[wanted]}, but is {found}{source}"
                yield make_finding("wrong-type", message, facts.locate(item.position, *keys))


def _find(value: Json, path: tuple[str, ...], keys: _Keys) -> Iterator[tuple[_Keys, Json]]:
    """Yield every value that a path leads to."""
    if not path:
        yield keys, value
        return
    first, rest = path[0], path[1:]
    if first == _EACH:
        for index, item in enumerate(value if isinstance(value, list) else ()):
            yield from _find(item, rest, (*keys, index))
    elif isinstance(value, dict):
        if first == _ANY:
            for key, item in value.items():
                yield from _find(item, rest, (*keys, key))
        elif first in value:
            yield from _find(value[first], rest, (*keys, first))


def _fill(value: Json, values: Mapping[str, str]) -> Json:
    if not isinstance(value, str) or "${" not in value or not values:
        return value
    try:
        return substitute_known(value, values)
    except SubstitutionError:
        return value  # which has its own finding


def _describe_wrong(value: Json, wanted: type) -> str:
    """Return what stands where another type belongs; empty where it fits or is not known."""
    if isinstance(value, str):
        encrypted = _ENCRYPTED.match(value)
        if wanted is str:
            return f"encrypted as {encrypted[1]}" if encrypted else ""
        return "" if "${" in value or encrypted else f"text: `{value}`"
    if isinstance(value, bool):
        return "" if wanted is bool else f"a boolean: `{str(value).lower()}`"
    if isinstance(value, (int, float)):
        return "" if wanted is int else f"a number: `{value}`"
    return ""

"""`transformations` of talos-cloud-controller-manager: labels, annotations and taints by rules.

Follows siderolabs/talos-cloud-controller-manager v1.12.0, `pkg/transformer` and `pkg/nodeselector`.
Values are Go templates, of which only plain fields are known here (`{{ .Hostname }}`); a value that
needs more is left away. `platformMetadata` and `features` are not simulated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

from inventory.regexes import compile_pattern
from lab.kubernetes.values import Json, Object, at, maps, text, texts

__all__ = ["Transformed", "transform_node"]

_FIELD = re.compile(r"\{\{-?\s*\.(\w+)\s*-?\}\}")


class _RefusedError(Exception):
    """A rule that the program reports as an error: the node is not initialized."""


@dataclass(frozen=True, slots=True)
class Transformed:
    """What the rules that match a node give to it."""

    labels: Mapping[str, Json] = field(default_factory=dict)
    annotations: Mapping[str, Json] = field(default_factory=dict)
    taints: tuple[Json, ...] = ()


def transform_node(config: str, metadata: Mapping[str, str]) -> Transformed | None:
    """Apply the rules of a configuration file to a node; None where the program refuses them.

    `metadata` has at least `platform` and `hostname`.
    """
    try:
        loaded: Json = yaml.safe_load(config)
    except yaml.YAMLError:
        return None
    known = {"spot": "false", **metadata}
    labels: Object = {}
    annotations: Object = {}
    taints: Object = {}
    try:
        for term in maps(loaded, "transformations"):
            if _matches(term, known):
                labels.update(_fill(at(term, "labels"), known))
                annotations.update(_fill(at(term, "annotations"), known))
                taints.update(at(term, "taints"))
    except _RefusedError:
        return None
    return Transformed(labels, annotations, tuple(_make_taint(*item) for item in taints.items()))


def _matches(term: Object, known: Mapping[str, str]) -> bool:
    choices = maps(term, "nodeSelector")
    return not choices or any(_fits(maps(one, "matchExpressions"), known) for one in choices)


def _fits(rules: list[Object], known: Mapping[str, str]) -> bool:
    held = [_holds(rule, known) for rule in rules]  # each of them may refuse
    return bool(held) and all(held)


def _holds(rule: Object, known: Mapping[str, str]) -> bool:
    value = known.get(text(rule, "key").lower())
    operator, values = text(rule, "operator"), texts(rule, "values")
    if operator in {"In", "NotIn"} and values:
        return value is not None and (value in values) == (operator == "In")
    if operator in {"Exists", "DoesNotExist"} and not values:
        return (value is not None) == (operator == "Exists")
    if operator == "Regexp" and len(values) == 1:
        pattern = compile_pattern(values[0])
        return value is not None and pattern is not None and pattern.is_in(value)
    if operator in {"Gt", "Lt"} and len(values) == 1 and value is None:
        return False
    raise _RefusedError


def _fill(given: Object, known: Mapping[str, str]) -> Object:
    filled = {
        key: _FIELD.sub(lambda found: known.get(found[1].lower(), ""), str(value))
        for key, value in given.items()
    }
    return {key: value for key, value in filled.items() if "{{" not in value}


def _make_taint(key: str, given: Json) -> Json:
    value, _, effect = str(given).rpartition(":")
    return {"key": key, "effect": effect, **({"value": value} if value else {})}

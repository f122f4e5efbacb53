"""Checks of fields that an object's kind does not have.

The API server refuses them in a server-side apply (`.spec.persistence: field not declared in
schema`; tried with kube-apiserver 1.35 and Flux's CRDs), and Flux applies in no other way.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from inventory.checks.facts import Facts
from inventory.checks.flux_version import has_flux_since
from inventory.fields import (
    CORE,
    FLUX,
    KNOWN_UNTIL,
    METADATA,
    MORE_TOP,
    PLAIN_GROUPS,
    TOP,
    Fields,
)
from inventory.model import Finding, Json, ObjectRef
from inventory.objects import children
from inventory.rules import make_finding

_Keys: TypeAlias = tuple[str | int, ...]


def check_fields(facts: Facts) -> Iterator[Finding]:
    """Yield fields that end the dry run with which Flux begins to apply anything."""
    major, minor = KNOWN_UNTIL
    is_newer = has_flux_since(facts, (major, minor + 1), is_unknown=False)
    for _, item in facts.inventory.objects():
        fields = None if is_newer else FLUX.get((item.api_version, item.kind))
        top = None if item.group else CORE.get(item.kind)
        if fields or item.group in PLAIN_GROUPS:
            top = MORE_TOP.get((item.group, item.kind), TOP)
        if top is not None:
            yield from _report(facts, item, item.raw, (), top)
        yield from _report(facts, item, item.raw.get("metadata"), ("metadata",), METADATA)
        if fields is not None:
            yield from _below(facts, item, item.raw.get("spec"), ("spec",), fields)


def _below(
    facts: Facts, item: ObjectRef, value: Json, keys: _Keys, fields: Fields
) -> Iterator[Finding]:
    path = ".".join(key for key in keys if isinstance(key, str))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _below(facts, item, inner, (*keys, index), fields)
    elif isinstance(value, dict) and path in fields:
        yield from _report(facts, item, value, keys, fields[path])
        for key, inner in children(value):
            yield from _below(facts, item, inner, (*keys, key), fields)


def _report(
    facts: Facts, item: ObjectRef, value: Json, keys: _Keys, known: Iterable[str]
) -> Iterator[Finding]:
    for key in value if isinstance(value, dict) else ():
        if key not in known:
            name = ".".join(map(str, (*keys, key)))
            place = facts.locate(item.position, *keys, key)
            hint = _suggest(item, key, keys, known)
            message = f"{item} has a field that its kind does not have: `{name}`"
            yield make_finding("unknown-field", message, place, hint)


def _suggest(item: ObjectRef, key: str, keys: _Keys, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(key, list(known), 1)
    if close:
        return f"write {close[0]}"
    if item.kind == "HelmRelease" and keys in ((), ("spec",)):
        return "indent it, so that it lies below spec.values"
    return ""

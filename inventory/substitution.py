"""Flux' `postBuild` on whole objects: substitution happens in YAML text, so types may change."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from inventory.documents import parse_documents
from inventory.envsubst import SubstitutionError, expand, expand_known, is_valid_name, references
from inventory.model import Json, JsonObject
from inventory.objects import get_text
from inventory.scalars import resolve_old_scalar

__all__ = [
    "SubstitutionError",
    "expand",
    "expand_known",
    "is_disabled",
    "is_valid_name",
    "references",
    "substitute_known",
    "substitute_object",
]

DISABLED_KEY: Final = "kustomize.toolkit.fluxcd.io/substitute"
_SIMPLE = re.compile(r"[\w./:@-]*\Z")
# What libyaml's emitter (and Go's port of it) cannot write as a plain scalar in block context.
_NOT_PLAIN = re.compile(r"[-?:,\[\]{}#&*!|>'\"%@`\s]|.*(?::\s|\s#|[\n\r\t])|.*[:\s]\Z", re.DOTALL)


def is_disabled(value: JsonObject) -> bool:
    """Say whether a label or an annotation keeps Flux from substituting in this object."""
    return any(
        get_text(value, "metadata", key, DISABLED_KEY) == "disabled"
        for key in ("labels", "annotations")
    )


def substitute_object(
    value: JsonObject, values: Mapping[str, str], *, strict: bool = False, always: bool = False
) -> JsonObject:
    """Return an object as Flux applies it after `postBuild`.

    Flux substitutes in the YAML text, so a plain scalar may become a number or a boolean. Without
    any variable it does not, unless told to `always` (`substituteStrategy`).

    Raises:
        SubstitutionError: A reference is malformed, or undefined where Flux is `strict`.
    """
    if is_disabled(value) or not (values or always):
        return value
    changed = _substitute(value, lambda text: expand(text, values, strict=strict))
    return changed if isinstance(changed, Mapping) else value


def substitute_known(value: Json, values: Mapping[str, str]) -> Json:
    """Return the value with known names filled in; nothing else changes."""
    return _substitute(value, lambda text: expand_known(text, values))


def _substitute(value: Json, fill: Callable[[str], str]) -> Json:
    if isinstance(value, str):
        return _substitute_text(value, fill) if "$" in value else value
    if isinstance(value, Mapping):
        return {fill(key): _substitute(item, fill) for key, item in value.items()}
    if isinstance(value, list):
        return [_substitute(item, fill) for item in value]
    return value


def _substitute_text(text: str, fill: Callable[[str], str]) -> Json:
    filled = fill(text)
    if filled == text or _NOT_PLAIN.match(text):
        return filled
    if _SIMPLE.match(filled):
        return resolve_old_scalar(filled)
    documents, problems = parse_documents("", filled, resolve_old_scalar)
    if problems or len(documents) != 1 or isinstance(documents[0].value, (list, Mapping)):
        return filled
    return documents[0].value

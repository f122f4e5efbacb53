"""Checks of substitution: undefined names, malformed references, missing sources, drift."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from inventory.checks.facts import Facts
from inventory.checks.flux_version import has_flux_since, is_feature_stated
from inventory.model import (
    Component,
    Entry,
    Finding,
    Json,
    ObjectRef,
    Position,
    Severity,
    SubstituteSource,
)
from inventory.objects import get_at
from inventory.rules import make_finding
from inventory.substitution import SubstitutionError, is_disabled, references

# kustomize-controller 1.9, which Flux 2.9 brings; a feature gate takes it back.
_STRICT_SINCE: Final = (2, 9)
_LENIENT: Final = "StrictPostBuildSubstitutions=false"
_PROGRAMS: Final = (".sh", ".bash", ".py", ".js", ".lua", ".awk", ".json")  # keys of ConfigMaps


def check_variables(facts: Facts) -> Iterator[Finding]:
    """Yield what Flux' substitution would get wrong."""
    owners: Sequence[Entry | Component] = (*facts.inventory.entries, *facts.inventory.components)
    yield from _sources(facts, owners)
    is_strict = _is_flux_strict(facts)
    for owner in owners:
        if owner.substitute_from or owner.substitute:
            yield from _objects(facts, owner, is_strict=is_strict)
    yield from _drift(facts)


def used_names(value: Json) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """Yield every plainly referenced name (without default) and the keys that lead to its text.

    Raises:
        SubstitutionError: A text has a malformed reference.
    """
    if isinstance(value, str):
        for reference in references(value):
            if not reference.has_default:
                yield reference.name, ()
    elif isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(item, (dict, list)) or (isinstance(item, str) and "${" in item):
                for name, keys in used_names(item):
                    yield name, (key, *keys)


def _sources(facts: Facts, owners: Sequence[Entry | Component]) -> Iterator[Finding]:
    """Yield each missing source once, at the first place that names it."""
    users: dict[SubstituteSource, list[tuple[Entry | Component, int]]] = {}
    for owner in owners:
        for index, source in enumerate(owner.substitute_from):
            if not source.optional and not _is_known(facts, source):
                users.setdefault(source, []).append((owner, index))
    for source, found in users.items():
        first, index = found[0]
        others = f" and {len(found) - 1} more" if len(found) > 1 else ""
        message = f"substitution source of `{first.name}`{others} does not exist: `{source}`"
        place = facts.locate(first.position, "spec", "postBuild", "substituteFrom", index)
        finding = make_finding("missing-substitution-source", message, place)
        yield replace(finding, severity=Severity.WARNING) if facts.is_tenant else finding


def _objects(facts: Facts, owner: Entry | Component, *, is_strict: bool) -> Iterator[Finding]:
    variables = facts.inventory.variables
    missing = [s for s in owner.substitute_from if not _is_known(facts, s)]
    known = variables.names_of(owner.substitute_from) | frozenset(owner.substitute)
    for item in owner.objects:
        if is_disabled(item.raw):
            continue
        try:
            used = list(used_names(item.raw))
        except SubstitutionError as error:
            message = f"{item} has a malformed reference: {error}"
            yield make_finding("malformed-substitution", message, _place_of_error(facts, item))
            continue
        # Without any variable Flux does not substitute at all.
        if known and not missing:
            for finding in _undefined(facts, item, used, known):
                yield finding if is_strict else replace(finding, severity=Severity.WARNING)


def _undefined(
    facts: Facts,
    item: ObjectRef,
    used: list[tuple[str, tuple[str | int, ...]]],
    known: frozenset[str],
) -> Iterator[Finding]:
    seen: set[str] = set()
    foreign: dict[tuple[str | int, ...], list[str]] = {}
    for name, keys in used:
        if name in known:
            continue
        if _is_foreign(str(get_at(item.raw, keys)), keys, name):
            foreign.setdefault(keys, []).append(name)
        elif name not in seen:
            seen.add(name)
            message = f"{item} uses a name that no substitution source defines: `{name}`"
            yield make_finding("undefined-variable", message, facts.locate(item.position, *keys))
    for keys, names in foreign.items():
        shown = ", ".join(dict.fromkeys(names))
        message = f"Flux takes for its own what a program in {item} means for itself: `{shown}`"
        yield make_finding("foreign-variable", message, facts.locate(item.position, *keys))


def _is_flux_strict(facts: Facts) -> bool:
    """Say whether the repository's Flux refuses undefined names: 2.9 does, unless told not to."""
    return not is_feature_stated(facts, _LENIENT) and has_flux_since(
        facts, _STRICT_SINCE, is_unknown=True
    )


def _is_foreign(text: str, keys: tuple[str | int, ...], name: str) -> bool:
    """Say whether a text is a program of its own, to which the name belongs."""
    if "\n" not in text:
        return False
    if text.startswith("#!") or (keys and str(keys[-1]).endswith(_PROGRAMS)):
        return True
    assigned = rf"(?:^|[\s;(&|]){name}=|\bfor\s+{name}\b|\bread\s+(?:-\w+\s+)*{name}\b"
    return re.search(assigned, text) is not None


def _is_known(facts: Facts, source: SubstituteSource) -> bool:
    return (source.kind, source.namespace, source.name) in facts.inventory.variables.sets


def _place_of_error(facts: Facts, item: ObjectRef) -> Position:
    for keys, text in _texts(item.raw):
        try:
            list(references(text))
        except SubstitutionError:
            return facts.locate(item.position, *keys)
    return item.position


def _texts(value: Json) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        yield (), value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            for keys, text in _texts(item):
                yield (key, *keys), text
    elif isinstance(value, list):
        for index, item in enumerate(value):
            for keys, text in _texts(item):
                yield (index, *keys), text


def _drift(facts: Facts) -> Iterator[Finding]:
    variables = facts.inventory.variables
    settings = variables.sets.get(("ConfigMap", "flux-system", "cluster-config")) or (
        variables.sets.get(("Secret", "flux-system", "cluster-config"))
    )
    if settings is None or not variables.path:
        return
    lacking = sorted(set(variables.names) - settings.names)
    added = sorted(settings.names - set(variables.names) - set(variables.derived))
    if lacking:
        message = f"names of clusterenv.yaml are not in {settings.name}: `{', '.join(lacking)}`"
        yield make_finding("settings-drift", message, settings.position)
    if added:
        message = f"names of {settings.name} are not in clusterenv.yaml: `{', '.join(added)}`"
        yield make_finding("settings-drift", message, settings.position)

"""Checks of certificate issuers by name: cert-manager's objects and TrueCharts' conventions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from inventory.checks.facts import Facts
from inventory.model import Finding, Json, ObjectRef
from inventory.objects import children, get, get_mapping, get_mappings, get_text
from inventory.rules import make_finding

_GROUP: Final = "cert-manager.io"
_CHART: Final = "clusterissuer"  # TrueCharts' chart of issuers
_ANNOTATION: Final = "cert-manager.io/cluster-issuer"
_FIELD: Final = "certificateIssuer"
_Keys: TypeAlias = tuple[str | int, ...]


def check_issuers(facts: Facts) -> Iterator[Finding]:
    """Yield names of ClusterIssuers that nothing live makes, where the live ones are known."""
    known = {facts.fill(name) for name in _declared(facts)}
    charts = [r for r in facts.inventory.releases if r.chart == _CHART]
    if not known or any("${" in name for name in known) or any(r.values_from for r in charts):
        return
    for _, item in facts.inventory.objects():
        if not facts.tree.mentions(item.position.path, _ANNOTATION, _FIELD, "issuerRef"):
            continue
        for keys, name in _used(item):
            text = facts.fill(name)
            if text and "${" not in text and text not in known:
                names = ", ".join(sorted(known))
                message = f"{item} wants a certificate of an issuer that is not live: `{text}`"
                place = facts.locate(item.position, *keys)
                yield make_finding("missing-issuer", message, place, f"name one of: {names}")


def _declared(facts: Facts) -> Iterator[str]:
    for _, item in facts.of_kind("ClusterIssuer"):
        if item.group == _GROUP:
            yield item.name
    for release in facts.inventory.releases:
        if release.chart == _CHART:
            told = get_mapping(release.values, "clusterIssuer")
            for kind in ("ACME", "CA"):
                yield from (get_text(issuer, "name") for issuer in get_mappings(told, kind))
            yield get_text(told, "selfSigned", "name", default="selfsigned")


def _used(item: ObjectRef) -> Iterator[tuple[_Keys, str]]:
    reference = get_mapping(item.raw, "spec", "issuerRef")
    if item.group == _GROUP and reference.get("kind") == "ClusterIssuer":
        yield ("spec", "issuerRef", "name"), get_text(reference, "name")
    yield from _named(item.raw, ())


def _named(value: Json, keys: _Keys) -> Iterator[tuple[_Keys, str]]:
    """Yield names under the keys by which charts and ingresses ask for a certificate."""
    if isinstance(value, dict):
        if value.get("enabled") is False:
            return
        for key in (_FIELD, _ANNOTATION):
            if isinstance(get(value, key), str):
                yield (*keys, key), get_text(value, key)
    for place, inner in children(value):
        if isinstance(inner, (dict, list)):
            yield from _named(inner, (*keys, place))

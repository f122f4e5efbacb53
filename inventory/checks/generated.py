"""Checks of references to ConfigMaps and Secrets by a name that kustomize has changed.

Kustomize follows the fields of Kubernetes' own kinds, within one build. A HelmRelease's
`valuesFrom`, and whatever another Kustomization applies, keeps the name without the hash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from inventory.checks.facts import Facts
from inventory.crds import BUILT_IN_GROUPS
from inventory.model import Finding, Json, Position
from inventory.objects import children, get_text
from inventory.rules import make_finding

_KINDS: Final = ("ConfigMap", "Secret")
_WORKLOADS: Final = ("Pod", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
_HASHED: Final = re.compile(r"(.+)-[24-9bcdfghkmt]{10}\Z")  # the letters that kustomize uses
_REFERENCES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("configMap", "configMapRef", "configMapKeyRef"), "ConfigMap"),
    **dict.fromkeys(("secret", "secretRef", "secretKeyRef"), "Secret"),
}
_Keys: TypeAlias = tuple[str | int, ...]
_Key: TypeAlias = tuple[str, str, str]


def check_generated(facts: Facts) -> Iterator[Finding]:
    """Yield references that name nothing live, and those that lack a generated object's hash."""
    live = {(kind, i.namespace, i.name) for kind in _KINDS for _, i in facts.of_kind(kind)}
    hashed = {
        (kind, space, match[1]): name
        for kind, space, name in live
        if (match := _HASHED.match(name)) is not None
    }
    for release in facts.inventory.releases:
        for index, source in enumerate(release.values_from):
            key = (source.kind, release.namespace, source.name)
            place = facts.locate(release.position, "spec", "valuesFrom", index)
            if key in hashed and key not in live:
                yield _missed(f"values of `{release.name}`", key, hashed, place)
            elif key not in live and key not in _made(facts) and not source.optional:
                message = f"values of `{release.name}` come from what is not live: `{source.name}`"
                yield make_finding("missing-values-source", message, place)
    for kind in _WORKLOADS if hashed else ():
        for _, item in facts.of_kind(kind):
            for keys, wanted, name in _references(item.raw, ()):
                key = (wanted, item.namespace, name)
                if key in hashed and key not in live:
                    yield _missed(str(item), key, hashed, facts.locate(item.position, *keys))


def _made(facts: Facts) -> set[_Key]:
    """Return the Secrets that operators make, as far as their custom resources name them."""
    found: set[tuple[str, str]] = set()
    for _, item in facts.inventory.objects():
        if item.group in BUILT_IN_GROUPS:
            continue
        told = (get_text(item.raw, "spec", *keys) for keys in (("secretName",), ("target", "name")))
        found.update((item.namespace, name) for name in told if name)
        if item.kind in ("ExternalSecret", "SealedSecret", "OnePasswordItem"):
            found.add((item.namespace, item.name))  # unless it says otherwise
        elif item.group == "postgresql.cnpg.io" and item.kind == "Cluster":
            names = (f"{item.name}-app", f"{item.name}-superuser")
            found.update((item.namespace, name) for name in names)
    return {("Secret", space, name) for space, name in found}


def _missed(who: str, key: _Key, hashed: Mapping[_Key, str], place: Position) -> Finding:
    kind, _, name = key
    message = f"{who}: {kind} `{name}` is called `{hashed[key]}` once kustomize has made it"
    return make_finding("generated-name-missed", message, place)


def _references(value: Json, keys: _Keys) -> Iterator[tuple[_Keys, str, str]]:
    """Yield what a workload's pods read: where it says so, the kind and the name."""
    for key, item in children(value):
        if not isinstance(item, (dict, list)):
            continue
        place = (*keys, key)
        if isinstance(item, dict) and key in _REFERENCES:
            field = "secretName" if "secretName" in item else "name"
            if item.get("optional") is not True:
                yield (*place, field), _REFERENCES[str(key)], get_text(item, field)
        yield from _references(item, place)

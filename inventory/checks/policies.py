"""Checks of policies that shut out what keeps the cluster alive.

NetworkPolicies that name no way for CloudNativePG's operator, and Kyverno policies that rewrite the
images of the storage.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from inventory.addresses import parse_network
from inventory.checks.facts import Facts
from inventory.model import Finding, Json, JsonObject, ObjectRef, Release
from inventory.objects import get, get_list, get_mapping, get_mappings, get_strings, get_text
from inventory.rules import make_finding

_DATABASES: Final = "postgresql.cnpg.io"
_NAME_LABEL: Final = "kubernetes.io/metadata.name"
_NETWORKS: Final = "networking.k8s.io"
_KYVERNO: Final = "kyverno.io"


def check_policies(facts: Facts) -> Iterator[Finding]:
    """Yield policies that reach further than was meant."""
    yield from _operators(facts)
    yield from _images(facts)


def _operators(facts: Facts) -> Iterator[Finding]:
    operators = [r for r in facts.inventory.releases if r.chart == "cloudnative-pg"]
    policies: dict[str, list[ObjectRef]] = {}
    for _, item in facts.of_kind("NetworkPolicy"):
        if item.group == _NETWORKS and _is_about_ingress(item.raw):
            policies.setdefault(item.namespace, []).append(item)
    spaces = _database_spaces(facts) if policies and operators else set()
    for space in sorted(spaces & set(policies)):
        operator = _space_of(operators[0])
        closing = [item for item in policies[space] if _is_for_all(item.raw)]
        rules = [
            rule for item in policies[space] for rule in get_mappings(item.raw, "spec", "ingress")
        ]
        if closing and space != operator and not any(_opens(facts, r, operator) for r in rules):
            message = f"databases in {space} cannot be reached from their operator in `{operator}`"
            place = facts.locate(closing[0].position, "spec", "ingress")
            yield make_finding("operator-shut-out", message, place)


def _database_spaces(facts: Facts) -> set[str]:
    spaces = {item.namespace for _, item in facts.of_kind("Cluster") if item.group == _DATABASES}
    for release in facts.inventory.releases:
        for item in get_mapping(release.values, "cnpg").values():
            if isinstance(item, dict) and item.get("enabled") is not False and item:
                spaces.add(_space_of(release))
    return spaces


def _space_of(release: Release) -> str:
    return release.target_namespace or release.namespace


def _is_about_ingress(policy: JsonObject) -> bool:
    types = get_strings(policy, "spec", "policyTypes")
    return not types or "Ingress" in types


def _is_for_all(policy: JsonObject) -> bool:
    selector = get_mapping(policy, "spec", "podSelector")
    return not any(get(selector, key) for key in ("matchLabels", "matchExpressions"))


def _opens(facts: Facts, rule: JsonObject, operator: str) -> bool:
    """Say whether a rule lets the operator in, as far as files tell; doubt counts as yes."""
    senders = get_mappings(rule, "from")
    return not senders or any(_lets_in(facts, sender, operator) for sender in senders)


def _lets_in(facts: Facts, sender: JsonObject, operator: str) -> bool:
    cidr = parse_network(get_text(sender, "ipBlock", "cidr"))
    talos = facts.inventory.talos
    if cidr is not None:
        pods = [parse_network(text) for text in talos.pod_nets] if talos is not None else []
        return cidr.prefixlen == 0 or any(
            net is not None and net.version == cidr.version and net.overlaps(cidr) for net in pods
        )
    if "namespaceSelector" not in sender:
        return False  # pods of the own namespace
    selector = get_mapping(sender, "namespaceSelector")
    labels = get_mapping(selector, "matchLabels")
    if get_list(selector, "matchExpressions") or set(labels) != {_NAME_LABEL}:
        return True
    return labels[_NAME_LABEL] == operator


def _images(facts: Facts) -> Iterator[Finding]:
    storage = next((r for r in facts.inventory.releases if r.chart == "longhorn"), None)
    if storage is None:
        return
    space = _space_of(storage)
    for kind in ("ClusterPolicy", "Policy"):
        for _, item in facts.of_kind(kind):
            if item.group != _KYVERNO or (kind == "Policy" and item.namespace != space):
                continue
            for index, rule in enumerate(get_mappings(item.raw, "spec", "rules")):
                if _rewrites(rule) and _reaches(rule, space):
                    name = get_text(rule, "name")
                    message = f"rule {name} of {item} rewrites images of Longhorn's own pods, too"
                    place = facts.locate(item.position, "spec", "rules", index)
                    yield make_finding("storage-images-rewritten", message, place)


def _rewrites(rule: JsonObject) -> bool:
    checks = get_mappings(rule, "verifyImages")
    if any(get(check, "mutateDigest") is not False for check in checks):
        return True  # the default of mutateDigest
    return "imageRegistry" in _keys(rule.get("mutate"))


def _keys(value: Json) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(_keys, value.values()))
    return set[str]().union(*map(_keys, value)) if isinstance(value, list) else set()


def _reaches(rule: JsonObject, space: str) -> bool:
    """Say whether a rule is for pods of a namespace; one that names it in any way is trusted."""
    return space not in str(rule) and "namespaces" not in _keys(rule.get("match"))

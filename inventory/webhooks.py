"""Admission webhooks: which objects are refused while the component that answers is not there.

Only webhooks that fail closed count (`failurePolicy: Fail`, the default), and only rules that name
their groups and resources: a rule for everything would make everything wait for its owner.
https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from inventory.model import Edge, EdgeKind, Inventory, JsonObject, ObjectRef
from inventory.objects import get_mappings, get_strings, get_text, group_of, kind_of

_GROUP: Final = "admissionregistration.k8s.io"
_KINDS: Final = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
# What every application consists of; a webhook for these would make everything wait.
_COMMON: Final = frozenset(
    {"/pods", "/namespaces", "/secrets", "/configmaps", "/services", "apps/deployments"}
)


def guarded_by(value: JsonObject) -> frozenset[str]:
    """Return `group/resources` of each object that a webhook configuration may refuse."""
    if group_of(value) != _GROUP or kind_of(value) not in _KINDS:
        return frozenset()
    return frozenset(_guarded(value)) - _COMMON


def webhook_edges(inventory: Inventory, guarded: Mapping[str, frozenset[str]]) -> Iterator[Edge]:
    """Yield an edge where a component holds objects that another one's webhook must allow.

    Args:
        inventory: The repository.
        guarded: `guarded_by` of each rendered release, by release id.
    """
    owners = dict(_owners(inventory, guarded))
    if not owners:
        return
    seen: set[tuple[str, str, str]] = set()
    for consumer, item in inventory.objects():
        resource = _resource_of(item)
        provider = owners.get(resource, consumer)
        if provider != consumer and (consumer, provider, resource) not in seen:
            seen.add((consumer, provider, resource))
            reason = f"has {item.kind}, which a webhook of {provider} must allow"
            yield Edge(
                consumer, provider, EdgeKind.WEBHOOK, reason, item.position, (item.group_kind,)
            )


def _owners(
    inventory: Inventory, guarded: Mapping[str, frozenset[str]]
) -> Iterator[tuple[str, str]]:
    for release in inventory.releases:
        for resource in guarded.get(release.id, ()):
            yield resource, release.component
    for owner, item in inventory.objects():
        if item.kind in _KINDS:
            for resource in guarded_by(item.raw):
                yield resource, owner


def _guarded(value: JsonObject) -> Iterator[str]:
    for webhook in get_mappings(value, "webhooks"):
        if get_text(webhook, "failurePolicy", default="Fail") != "Fail":
            continue
        for rule in get_mappings(webhook, "rules"):
            for group in get_strings(rule, "apiGroups"):
                for resource in get_strings(rule, "resources"):
                    name = resource.partition("/")[0]
                    if "*" not in group and "*" not in name:
                        yield f"{group}/{name}"


def _resource_of(item: ObjectRef) -> str:
    """Return `group/resources` as API servers name them; right for all but a few odd plurals."""
    kind = item.kind.lower()
    if kind.endswith(("s", "x", "ch", "sh")):
        plural = f"{kind}es"
    elif kind.endswith("y") and kind[-2:-1] not in ("a", "e", "o", "u"):
        plural = f"{kind[:-1]}ies"
    else:
        plural = f"{kind}s"
    return f"{item.group}/{plural}"

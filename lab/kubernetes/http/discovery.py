"""Which kinds there are, in the forms that clients ask for."""

from __future__ import annotations

from collections.abc import Iterable

from lab.kubernetes.kinds import Kind
from lab.kubernetes.registry import Registry
from lab.kubernetes.values import Json, Object

__all__ = ["find_document", "list_aggregated"]

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
Stale = tuple[str, str] | None
# What a subresource is asked with, and the kind it speaks.
_SUBRESOURCES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "status": (("get", "patch", "update"), "", ""),
    "approval": (("get", "patch", "update"), "", ""),
    "finalize": (("update",), "", ""),
    "scale": (("get", "patch", "update"), "autoscaling/v1", "Scale"),
    "eviction": (("create",), "policy/v1", "Eviction"),
    "log": (("get",), "", ""),
    "token": (("create",), "authentication.k8s.io/v1", "TokenRequest"),
}


def _list_groups(registry: Registry, stale: Stale) -> Object:
    """Build the answer to `/apis`."""
    groups = _by_group(registry)
    listed: list[Json] = [_group(name, _versions(kinds)) for name, kinds in groups.items() if name]
    if stale:
        listed.append(_group(stale[0], [stale[1]]))
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}


def find_document(registry: Registry, parts: list[str], stale: Stale = None) -> Object | None:
    """Build the answer to `/api`, `/apis` and what is below them; None when there is none.

    `stale` is a group and version of an aggregated API that does not answer.
    """
    match parts:
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"]}
        case ["apis"]:
            return _list_groups(registry, stale)
        case ["api", version]:
            return _list_resources(registry, "", version)
        case ["apis", group, version]:
            return _list_resources(registry, group, version)
        case ["apis", group] if kinds := _by_group(registry).get(group):
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(group, _versions(kinds))}
        case _:
            return None


def _list_resources(registry: Registry, group: str, version: str) -> Object | None:
    """Build the answer to `/apis/GROUP/VERSION`; None when nothing is served there."""
    kinds = [kind for kind in registry.kinds if kind.group == group and version in kind.versions]
    if not kinds:
        return None
    resources: list[Json] = []
    for kind in kinds:
        resources.append(_resource(kind))
        resources.extend(_subresource(kind, name) for name in sorted(kind.subresources))
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": resources,
    }


def list_aggregated(registry: Registry, *, core: bool, stale: Stale = None) -> Object:
    """Build the aggregated discovery document (apidiscovery.k8s.io/v2) of `/api` or `/apis`."""
    items: list[Json] = [
        _aggregated_group(name, kinds)
        for name, kinds in _by_group(registry).items()
        if (name == "") == core
    ]
    if stale and not core:
        version: Object = {"version": stale[1], "freshness": "Stale"}
        items.append({"metadata": {"name": stale[0]}, "versions": [version]})
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def _by_group(registry: Registry) -> dict[str, list[Kind]]:
    groups: dict[str, list[Kind]] = {}
    for kind in registry.kinds:
        groups.setdefault(kind.group, []).append(kind)
    return groups


def _versions(kinds: Iterable[Kind]) -> list[str]:
    return list(dict.fromkeys(version for kind in kinds for version in kind.versions))


def _group(name: str, served: list[str]) -> Object:
    versions: list[Json] = [
        {"groupVersion": f"{name}/{version}", "version": version} for version in served
    ]
    return {
        "name": name,
        "versions": versions,
        "preferredVersion": versions[0],
    }


def _resource(kind: Kind) -> Object:
    verbs: list[Json] = list(_VERBS)
    short: list[Json] = list(kind.short)
    resource: Object = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": verbs,
    }
    if short:
        resource["shortNames"] = short
    if kind.categories:
        categories: list[Json] = list(kind.categories)
        resource["categories"] = categories
    return resource


def _subresource(kind: Kind, name: str) -> Object:
    verbs, api_version, spoken = _SUBRESOURCES[name]
    listed: list[Json] = list(verbs)
    resource: Object = {
        "name": f"{kind.plural}/{name}",
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": spoken or kind.kind,
        "verbs": listed,
    }
    if api_version:
        group, _, version = api_version.rpartition("/")
        resource["group"] = group
        resource["version"] = version
    return resource


def _aggregated_group(name: str, kinds: list[Kind]) -> Object:
    versions: list[Json] = []
    for version in _versions(kinds):
        resources: list[Json] = [
            _aggregated_resource(kind, version) for kind in kinds if version in kind.versions
        ]
        versions.append({"version": version, "resources": resources, "freshness": "Current"})
    return {"metadata": {"name": name} if name else {}, "versions": versions}


def _aggregated_resource(kind: Kind, version: str) -> Object:
    listed = _resource(kind)
    resource: Object = {
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": version, "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": listed["verbs"],
    }
    for key in ("shortNames", "categories"):
        if key in listed:
            resource[key] = listed[key]
    subresources: list[Json] = []
    for name in sorted(kind.subresources):
        verbs, api_version, spoken = _SUBRESOURCES[name]
        group, _, spoken_version = api_version.rpartition("/")
        allowed: list[Json] = list(verbs)
        subresources.append(
            {
                "subresource": name,
                "responseKind": {
                    "group": group if spoken else kind.group,
                    "version": spoken_version if spoken else version,
                    "kind": spoken or kind.kind,
                },
                "verbs": allowed,
            }
        )
    if subresources:
        resource["subresources"] = subresources
    return resource

"""The least of OpenAPI v3 that lets kubectl validate on the server instead of by itself.

kubectl looks for the query parameter `fieldValidation` on the PATCH of a kind, and for the
kind's name on a schema; the schemas here accept everything.
"""

from __future__ import annotations

from lab.kubernetes.kinds import Kind
from lab.kubernetes.registry import Registry
from lab.kubernetes.values import Json, Object

__all__ = ["describe_group", "list_documents"]


def list_documents(registry: Registry) -> Object:
    """Build the answer to `/openapi/v3`."""
    paths: Object = {}
    for kind in registry.kinds:
        for version in kind.versions:
            path = f"apis/{kind.group}/{version}" if kind.group else f"api/{version}"
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={registry.changes}"}
    return {"paths": paths}


def describe_group(registry: Registry, group: str, version: str) -> Object | None:
    """Build the document of one group and version; None when nothing is served there."""
    kinds = [kind for kind in registry.kinds if kind.group == group and version in kind.versions]
    if not kinds:
        return None
    paths: Object = {}
    schemas: Object = {}
    for kind in kinds:
        base = f"/apis/{group}/{version}" if group else f"/api/{version}"
        space = "/namespaces/{namespace}" if kind.namespaced else ""
        identity: Object = {"group": group, "version": version, "kind": kind.kind}
        paths[f"{base}{space}/{kind.plural}/{{name}}"] = {
            "patch": _operation("patch", identity),
            "put": _operation("put", identity),
        }
        paths[f"{base}{space}/{kind.plural}"] = {"post": _operation("post", identity)}
        schemas[_schema_name(kind, version)] = {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "x-kubernetes-group-version-kind": [identity],
        }
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "lab"},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _operation(verb: str, identity: Object) -> Object:
    names = ("dryRun", "fieldManager", "fieldValidation", "force")
    parameters: list[Json] = [
        {"name": name, "in": "query", "schema": {"type": "string"}} for name in names
    ]
    return {
        "x-kubernetes-action": verb,
        "x-kubernetes-group-version-kind": identity,
        "parameters": parameters,
        "responses": {"200": {"description": "OK"}},
    }


def _schema_name(kind: Kind, version: str) -> str:
    reverse = ".".join(reversed((kind.group or "core.api.k8s.io").split(".")))
    return f"{reverse}.{version}.{kind.kind}"

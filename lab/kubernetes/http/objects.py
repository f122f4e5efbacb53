"""Requests about objects: get, list, create, replace, patch, delete and the subresources."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from lab.kubernetes.api import Api
from lab.kubernetes.errors import (
    BadRequestError,
    ForbiddenError,
    InvalidError,
    MethodNotAllowedError,
    UnsupportedMediaTypeError,
)
from lab.kubernetes.evicting import evict_pod
from lab.kubernetes.http.requests import Target, fill_in, read_body, read_object
from lab.kubernetes.lists import list_rule
from lab.kubernetes.patching import patch_json, patch_merge, patch_strategic
from lab.kubernetes.preconditions import check_preconditions
from lab.kubernetes.registry import Served
from lab.kubernetes.users import User
from lab.kubernetes.values import Object, at, dig, grow, maps, number, text

__all__ = ["Call", "change_object", "check_permission", "show_scale"]


@dataclass(frozen=True, slots=True)
class Call:
    """One request about objects: what was asked, of which kind, by whom."""

    api: Api
    request: web.Request
    served: Served
    target: Target
    user: User

    @property
    def is_dry(self) -> bool:
        """Whether nothing must be stored."""
        return self.request.query.get("dryRun") == "All"

    @property
    def manager(self) -> str:
        """The field manager: named, or the client's program."""
        named = self.request.query.get("fieldManager", "")
        return named or self.request.headers.get("User-Agent", "unknown").partition("/")[0]


# Nobody can delete all of these in one request.
_ONE_BY_ONE = {"namespaces", "services"}
_FORMATS = {
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
}
_REVIEWS = {"selfsubjectaccessreviews", "subjectaccessreviews"}


def check_permission(user: User, method: str, target: Target) -> None:
    """Let administrators and the cluster's own components in, nobody else.

    Raises:
        ForbiddenError: the user may not do that.
    """
    if {"system:masters", "system:nodes"} & set(user.groups) or user.name.startswith(
        "system:kube-"
    ):
        return
    verb = {"GET": "list", "POST": "create", "PUT": "update"}.get(method, method.lower())
    where = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
    raise ForbiddenError(
        f'{target.plural} is forbidden: User "{user.name}" cannot {verb} resource '
        f'"{target.plural}" in API group "{target.group}" {where}'
    )


async def change_object(call: Call) -> tuple[int, Object]:
    """Do what a POST, PUT, PATCH or DELETE asks; returns the HTTP status and the answer.

    Raises:
        ApiError: it is refused.
    """
    match call.request.method:
        case "POST" if not call.target.name or call.target.subresource:
            return 201, await _create(call)
        case "PUT":
            obj = _identify(await read_object(call.request), call.served, call.target)
            manager = call.manager
            return 200, call.api.update(
                obj,
                subresource=call.target.subresource,
                manager=manager,
                dry_run=call.is_dry,
            )
        case "PATCH":
            return await _patch(call)
        case "DELETE" if call.target.name:
            return 200, await _delete(call)
        case "DELETE" if call.served.kind.resource not in _ONE_BY_ONE:
            return 200, _delete_all(call)
        case _:
            raise MethodNotAllowedError


async def _create(call: Call) -> Object:
    obj = await read_object(call.request)
    if call.target.subresource == "eviction":
        grace = dig(obj, "deleteOptions", "gracePeriodSeconds")
        return evict_pod(
            call.api,
            call.target.name,
            call.target.namespace,
            grace_s=grace if isinstance(grace, int) else None,
            dry_run=call.is_dry or "All" in str(dig(obj, "deleteOptions", "dryRun")),
        )
    if call.served.kind.plural in _REVIEWS:
        return {**obj, "status": {"allowed": True}}
    if call.served.kind.plural == "selfsubjectreviews":
        return {
            **obj,
            "status": {"userInfo": {"username": call.user.name, "groups": [*call.user.groups]}},
        }
    obj.setdefault("apiVersion", call.served.api_version)
    obj.setdefault("kind", call.served.kind.kind)
    _check_kind(obj, call.served)
    if call.target.namespace:
        fill_in(grow(obj, "metadata"), "namespace", call.target.namespace)
        if text(obj, "metadata", "namespace") != call.target.namespace:
            raise BadRequestError(
                "the namespace of the provided object does not match the namespace sent on the "
                "request"
            )
    return call.api.create(obj, manager=call.manager, user=call.user, dry_run=call.is_dry)


async def _patch(call: Call) -> tuple[int, Object]:
    content_type = call.request.content_type
    body = await read_body(call.request)
    if content_type.startswith("application/apply-patch"):
        if not isinstance(body, dict):
            raise BadRequestError("the body of the apply was not an object")
        return _apply(call, body)
    _check_format(content_type, crd=bool(call.served.kind.crd))
    if content_type == "application/json-patch+json" and not isinstance(body, list):
        raise BadRequestError("error decoding patch: the patch is not a list of operations")
    rule = list_rule(call.served.kind)

    def change(obj: Object) -> Object:
        if content_type == "application/json-patch+json":
            return patch_json(obj, maps(body))
        if not isinstance(body, dict):
            raise BadRequestError("the body of the patch was not an object")
        if content_type == "application/strategic-merge-patch+json":
            return patch_strategic(obj, body, rule)
        return patch_merge(obj, body)

    return 200, call.api.modify(
        call.served,
        call.target.name,
        call.target.namespace,
        change,
        subresource=call.target.subresource,
        manager=call.manager,
        dry_run=call.is_dry,
    )


def _check_format(content_type: str, *, crd: bool) -> None:
    if content_type not in _FORMATS:
        raise UnsupportedMediaTypeError("415: Unsupported Media Type", details={})
    if crd and content_type == "application/strategic-merge-patch+json":
        raise UnsupportedMediaTypeError(
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json-patch+json, application/merge-patch+json, "
            "application/apply-patch+yaml"
        )


def _apply(call: Call, body: Object) -> tuple[int, Object]:
    manager = call.request.query.get("fieldManager", "")
    if not manager:
        cause = (
            "fieldManager",
            "FieldValueRequired",
            "Required value: is required for apply patch",
        )
        raise InvalidError.of_field("PatchOptions", "meta.k8s.io", "", cause)
    if "managedFields" in at(body, "metadata"):
        raise BadRequestError("metadata.managedFields must be nil")
    obj = _identify(body, call.served, call.target)
    existed = (
        call.api.store.get(call.served.kind.resource, call.target.namespace, call.target.name)
        is not None
    )
    applied = call.api.apply(
        obj,
        manager=manager,
        force=call.request.query.get("force", "").lower() in {"true", "1"},
        subresource=call.target.subresource,
        user=call.user,
        dry_run=call.is_dry,
    )
    return 200 if existed else 201, applied


def _identify(obj: Object, served: Served, target: Target) -> Object:
    """Hold the object against the URL that it came by."""
    obj.setdefault("apiVersion", served.api_version)
    obj.setdefault("kind", served.kind.kind)
    metadata = grow(obj, "metadata")
    fill_in(metadata, "name", target.name)
    if target.namespace:
        fill_in(metadata, "namespace", target.namespace)
    if target.subresource == "scale" and text(obj, "kind") == "Scale":
        obj["apiVersion"], obj["kind"] = served.api_version, served.kind.kind
    _check_kind(obj, served)
    if metadata["name"] != target.name:
        raise BadRequestError(
            f"the name of the object ({metadata['name']}) does not match the name on the URL "
            f"({target.name})"
        )
    return obj


def _check_kind(obj: Object, served: Served) -> None:
    if text(obj, "kind") != served.kind.kind or text(obj, "apiVersion") != served.api_version:
        raise BadRequestError(
            f"the API version in the data ({text(obj, 'apiVersion')}) or its kind "
            f"({text(obj, 'kind')}) does not match the expected ({served.api_version}, "
            f"{served.kind.kind})"
        )


async def _delete(call: Call) -> Object:
    body = await read_body(call.request)
    options: Object = body if isinstance(body, dict) else {}
    live = call.api.get(call.served, call.target.name, call.target.namespace)
    check_preconditions(call.served.kind, live, at(options, "preconditions"))
    grace = options.get("gracePeriodSeconds")
    if grace is None and call.request.query.get("gracePeriodSeconds", "").isdigit():
        grace = int(call.request.query["gracePeriodSeconds"])
    dry_run = call.is_dry or "All" in str(options.get("dryRun"))
    last = call.api.delete(
        call.served,
        call.target.name,
        call.target.namespace,
        propagation=text(options, "propagationPolicy")
        or call.request.query.get("propagationPolicy", ""),
        grace_s=grace if isinstance(grace, int) else None,
        dry_run=dry_run,
    )
    if "deletionTimestamp" in at(last, "metadata"):
        return last
    details: Object = {"name": call.target.name, "kind": call.served.kind.plural}
    details["uid"] = text(last, "metadata", "uid")
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    }


def _delete_all(call: Call) -> Object:
    objects, _ = call.api.list(
        call.served,
        call.target.namespace,
        labels=call.request.query.get("labelSelector", ""),
        fields=call.request.query.get("fieldSelector", ""),
    )
    for obj in objects:
        call.api.delete(
            call.served,
            text(obj, "metadata", "name"),
            text(obj, "metadata", "namespace"),
            dry_run=call.is_dry,
        )
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}


def show_scale(obj: Object) -> Object:
    """Build the Scale of a workload."""
    metadata: Object = {
        key: value
        for key, value in at(obj, "metadata").items()
        if key in {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}
    }
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": number(obj, "spec", "replicas")},
        "status": {"replicas": number(obj, "status", "replicas")},
    }

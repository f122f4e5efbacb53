"""Reading requests: what a path names, what a body says, who asks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import yaml

from lab.kubernetes.errors import BadRequestError, NotFoundError
from lab.kubernetes.http.protobuf import MAGIC, read_message
from lab.kubernetes.users import User
from lab.kubernetes.values import Json, Object

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["Target", "fill_in", "read_body", "read_object", "read_target", "read_user"]


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names: a collection, an object, or a subresource of one."""

    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def read_target(path: str) -> Target:
    """Read `/apis/apps/v1/namespaces/x/deployments/y/status` and its like.

    Raises:
        NotFoundError: it names nothing that could exist.
    """
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["api"] and len(parts) > 2:  # noqa: PLR2004  /api/v1/pods
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) > 3:  # noqa: PLR2004  /apis/apps/v1/deployments
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        raise NotFoundError.of_kind()
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in {"status", "finalize"}:  # noqa: PLR2004  namespaces/x/pods
        namespace, rest = rest[1], rest[2:]
    name, subresource = (*rest[1:3], "", "")[:2]
    return Target(group, version, rest[0], namespace, name, subresource)


def fill_in(metadata: Object, key: str, value: str) -> None:
    """Set what the URL says where the object does not: empty text says nothing."""
    metadata[key] = metadata.get(key) or value


async def read_body(request: web.Request) -> Json:
    """Read a JSON or YAML body; None when it is empty.

    Raises:
        BadRequestError: it is neither.
    """
    raw = await request.read()
    if not raw:
        return None
    if raw.startswith(MAGIC):
        return read_message(raw)
    try:
        if raw[:1] in b"{[":
            return cast("Json", json.loads(raw))
        return cast("Json", yaml.load(raw, Loader=yaml.CSafeLoader))
    except (ValueError, yaml.YAMLError) as error:
        raise BadRequestError(f"the body cannot be read: {error}") from error


async def read_object(request: web.Request) -> Object:
    """Read a body that is one object.

    Raises:
        BadRequestError: it is not.
    """
    body = await read_body(request)
    if not isinstance(body, dict):
        raise BadRequestError("the body of the request was not an object")
    return body


def read_user(request: web.Request) -> User | None:
    """Read the client certificate; None when there is none."""
    transport = request.transport
    certificate = transport.get_extra_info("peercert") if transport is not None else None
    if not certificate:
        return None
    name, groups = "", []
    for attributes in certificate.get("subject", ()):
        for key, value in attributes:
            if key == "commonName":
                name = value
            elif key == "organizationName":
                groups.append(value)
    return User(name, (*groups, "system:authenticated"))

"""`cosi.resource.State`: read and watch a machine's resources; writing is not allowed.

Errors are those of cosi-project/runtime and of `internal/app/resources/access.go` (v1.13.9).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import NoReturn

import yaml
from google.protobuf.timestamp_pb2 import Timestamp
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from lab.machines.boot import Revision
from lab.machines.protos import state_pb2
from lab.machines.resource_types import (
    META_NAMESPACE,
    RESOURCE_DEFINITIONS,
    RESOURCE_TYPES,
    ResourceType,
)
from lab.machines.resources import list_values
from lab.machines.rpc.route import ADMINS, READERS, Call, Route, stream, unary
from lab.machines.values import Json, Value

__all__ = ["ROUTES"]

_YAML_TEXT = "talos.dev/yaml-spec"  # marks a spec that is a YAML document itself
_DEFINITIONS = ResourceType(RESOURCE_DEFINITIONS, "ResourceDefinition", META_NAMESPACE)


async def _get(call: Call, request: state_pb2.GetRequest) -> state_pb2.GetResponse:
    for resource in _list_resources(call, request.namespace, request.type):
        if resource.metadata.id == request.id:
            return state_pb2.GetResponse(resource=resource)
    raise GRPCError(
        Status.NOT_FOUND,
        f"resource {request.type}({request.namespace}/{request.id}@undefined) doesn't exist",
    )


async def _list(
    call: Call, request: state_pb2.ListRequest
) -> AsyncIterator[state_pb2.ListResponse]:
    wanted = re.compile(request.options.id_query.regexp)
    for resource in _list_resources(call, request.namespace, request.type):
        if wanted.search(resource.metadata.id):
            yield state_pb2.ListResponse(resource=resource)


async def _watch(
    call: Call, request: state_pb2.WatchRequest
) -> AsyncIterator[state_pb2.WatchResponse]:
    seen = _read_current(call, request)
    yield state_pb2.WatchResponse()
    first = list(_announce(request, seen))
    if request.options.aggregated and first:
        yield state_pb2.WatchResponse(event=first)
    else:
        for event in first:
            yield state_pb2.WatchResponse(event=[event])
    while True:
        await call.machine.changed.wait(call.machine.poll_s())
        now = _read_current(call, request)
        for event in _compare(seen, now):
            yield state_pb2.WatchResponse(event=[event])
        seen = now


async def _refuse(_call: Call, _request: object) -> NoReturn:
    raise GRPCError(Status.PERMISSION_DENIED, "write access is not allowed")


def _read_current(call: Call, request: state_pb2.WatchRequest) -> dict[str, state_pb2.Resource]:
    resources = _list_resources(call, request.namespace, request.type)
    if request.HasField("id"):
        resources = [item for item in resources if item.metadata.id == request.id]
    return {item.metadata.id: item for item in resources}


def _announce(
    request: state_pb2.WatchRequest, current: dict[str, state_pb2.Resource]
) -> Iterator[state_pb2.Event]:
    """Say what there is when a watch begins."""
    if request.HasField("id"):
        if request.id in current:
            yield state_pb2.Event(resource=current[request.id], event_type="CREATED")
            return
        # A tombstone: nothing there now.
        metadata = state_pb2.Metadata(
            namespace=request.namespace,
            type=request.type,
            id=request.id,
            version="undefined",
            phase="tearingDown",
        )
        tombstone = state_pb2.Resource(metadata=metadata, spec=state_pb2.Spec())
        yield state_pb2.Event(resource=tombstone, event_type="DESTROYED")
        return
    if request.options.bootstrap_contents:
        for resource in current.values():
            yield state_pb2.Event(resource=resource, event_type="CREATED")
        if request.api_version >= 1:
            yield state_pb2.Event(event_type="BOOTSTRAPPED")


def _compare(
    old: dict[str, state_pb2.Resource], new: dict[str, state_pb2.Resource]
) -> Iterator[state_pb2.Event]:
    for name, resource in new.items():
        if name not in old:
            yield state_pb2.Event(resource=resource, event_type="CREATED")
        elif old[name].metadata.version != resource.metadata.version:
            yield state_pb2.Event(resource=resource, old=old[name], event_type="UPDATED")
    for name, resource in old.items():
        if name not in new:
            yield state_pb2.Event(resource=resource, event_type="DESTROYED")


def _list_resources(call: Call, namespace: str, kind: str) -> list[state_pb2.Resource]:
    if kind == RESOURCE_DEFINITIONS:
        return [_make_definition(item) for item in (*RESOURCE_TYPES.values(), _DEFINITIONS)]
    found = RESOURCE_TYPES.get(kind)
    if found is None:
        raise GRPCError(Status.PERMISSION_DENIED, f'resource type "{kind}" is not supported')
    if found.is_sensitive and not call.roles & ADMINS:
        raise GRPCError(Status.PERMISSION_DENIED, "not authorized")
    if namespace not in {item.namespace for item in RESOURCE_TYPES.values()}:
        raise GRPCError(Status.PERMISSION_DENIED, f'namespace "{namespace}" is not supported')
    if namespace != found.namespace:
        return []
    values = list_values(call.machine, call.table, kind)
    return [_make_resource(call, found, value) for value in values]


def _make_resource(call: Call, kind: ResourceType, value: Value) -> state_pb2.Resource:
    text = _dump(value.spec)
    revision = _revise(call, (kind.name, value.id), text, value.version)
    created, updated = Timestamp(), Timestamp()
    created.FromDatetime(revision.created_at)
    updated.FromDatetime(revision.updated_at)
    metadata = state_pb2.Metadata(
        namespace=kind.namespace,
        type=kind.name,
        id=value.id,
        version=str(revision.version),
        owner=f"{kind.namespace}.{kind.singular}Controller",
        phase="running",
        created=created,
        updated=updated,
    )
    if kind.name.startswith("MachineConfigs."):
        metadata.annotations[_YAML_TEXT] = "1"
    typed = value.typed.SerializeToString() if value.typed is not None else b""
    return state_pb2.Resource(
        metadata=metadata, spec=state_pb2.Spec(proto_spec=typed, yaml_spec=text)
    )


def _revise(call: Call, key: tuple[str, str], text: str, version: int) -> Revision:
    revisions, now = call.machine.boot.revisions, call.machine.clock.now()
    last = revisions.get(key)
    if last is None:
        last = revisions[key] = Revision(version or 1, text, now, now)
    elif last.spec != text:
        last = revisions[key] = Revision(version or last.version + 1, text, last.created_at, now)
    return last


def _make_definition(kind: ResourceType) -> state_pb2.Resource:
    definition = kind.to_definition()
    spec: dict[str, Json] = {
        "type": definition.resource_type,
        "displayType": definition.display_type,
        "defaultNamespace": definition.default_namespace,
        "aliases": list(definition.aliases),
        "allAliases": list(definition.all_aliases),
        "printColumns": [
            {"name": column.name, "jsonPath": column.json_path}
            for column in definition.print_columns
        ],
        "sensitivity": "sensitive" if kind.is_sensitive else "",
    }
    metadata = state_pb2.Metadata(
        namespace=META_NAMESPACE,
        type=RESOURCE_DEFINITIONS,
        id=kind.id,
        version="1",
        phase="running",
    )
    body = state_pb2.Spec(proto_spec=definition.SerializeToString(), yaml_spec=_dump(spec))
    return state_pb2.Resource(metadata=metadata, spec=body)


def _dump(spec: Json) -> str:
    if isinstance(spec, Sequence | dict) and not isinstance(spec, str):
        return yaml.dump(spec, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True)
    # A bare scalar: PyYAML would end it with a document marker.
    return yaml.dump(spec, Dumper=yaml.CSafeDumper).removesuffix("...\n")


ROUTES: tuple[Route, ...] = (
    unary("/cosi.resource.State/Get", READERS, (state_pb2.GetRequest, state_pb2.GetResponse), _get),
    stream(
        "/cosi.resource.State/List",
        READERS,
        (state_pb2.ListRequest, state_pb2.ListResponse),
        _list,
    ),
    stream(
        "/cosi.resource.State/Watch",
        READERS,
        (state_pb2.WatchRequest, state_pb2.WatchResponse),
        _watch,
    ),
    unary(
        "/cosi.resource.State/Create",
        ADMINS,
        (state_pb2.CreateRequest, state_pb2.CreateResponse),
        _refuse,
    ),
    unary(
        "/cosi.resource.State/Update",
        ADMINS,
        (state_pb2.UpdateRequest, state_pb2.UpdateResponse),
        _refuse,
    ),
    unary(
        "/cosi.resource.State/Destroy",
        ADMINS,
        (state_pb2.DestroyRequest, state_pb2.DestroyResponse),
        _refuse,
    ),
)
